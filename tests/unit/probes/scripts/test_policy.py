# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script may not do, rule by rule: each is found with its line, and what looks like it is not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from bypasses import COMMANDS, HARMLESS
from hypothesis import given

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

from .test_language import PIECES

GOOD = r"""// SPDX-License-Identifier: GPL-3.0-or-later
// system("ls") and exit() in a comment do nothing, like "%{" in a text
global seen[100]
global minimum_us = 10

probe fd.open
{
  seen[pid(), execname()]++
  text = "system(1) %{ %} exit()"
}

probe kernel.trace("sched:sched_switch"), syscall.{read,write}
{
  if (!fd_sampling()) next
  if ($prev->pid == 1 && $next->prio != 2) next
  count($next->pid)
}

function count(pid:long)
{
  seen[pid, "x"] <<< 1
}

probe fd.interval
{
  foreach ([pid, name] in seen)
    printf("%s\t%d\t%s\t%d\n", fd_row("counts"), pid, fd_str(name), seen[pid, name])
  delete seen
}
"""


def probe(output: str = "rows", **parameters: dict[str, Any]) -> Probe:
    columns = {
        "pid": {"type": "int", "role": "key", "description": "A."},
        "name": {"type": "string", "role": "key", "description": "A."},
        "count": {"type": "int", "role": "measure", "merge": "sum", "description": "A."},
    }
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if output in ("rows", "table"):
        manifest["tables"] = {"counts": {"description": "A.", "columns": columns}}
    return probe_from_manifest("tested", {**manifest, "parameters": parameters})


def in_handler(code: str) -> str:
    """One line in a handler that asks; it is line 3."""
    return f'probe kernel.trace("a") {{\n  if (!fd_sampling()) next\n  {code}\n}}\n'


def found(text: str, level: policy.Level = "probe", manifest: Probe | None = None) -> list[tuple[int, str]]:
    return [(fault.line, fault.what) for fault in policy.faults(text, level, manifest)]


def test_a_good_script_has_no_fault() -> None:
    assert policy.faults(GOOD, "probe", probe()) == []
    assert policy.faults(GOOD, "script") == []


AT_ANY_LEVEL = [
    ("probe begin %{ x(); %}", 1, "holds C code"),
    ("probe begin { }\nfunction f() %{ x(); %}", 2, "holds C code"),
    ("%{\n#include <x.h>\n%}", 1, "holds C code"),
    (in_handler('system("reboot")'), 3, "system() runs a command on the host"),
    (in_handler('system\n ("reboot")'), 3, "system() runs a command on the host"),
    ('@define s %( system %)\nprobe fd.open { @s("x") }', 1, "system() runs a command"),
    ('probe fd.open {\n%( 1 == 1 %? system %: x %) ("x") }', 2, "system() runs a command"),
    (in_handler('panic("x")'), 3, "panic() stops the kernel"),
    (in_handler("raise(9)"), 3, "raise() sends signals"),
    (in_handler("mdelay(9)"), 3, "mdelay() holds the kernel up"),
    (in_handler("set_kernel_long(1, 2)"), 3, "set_kernel_long() writes into memory"),
    (in_handler("$file->f_pos = 1"), 3, "writes into the kernel ($file->f_pos)"),
    (in_handler("$file->f_path->x[1] += 1"), 3, "writes into the kernel ($file->f_path->x[1])"),
    (in_handler("$count++"), 3, "writes into the kernel ($count)"),
    (in_handler("++$count"), 3, "writes into the kernel ($count)"),
    (in_handler('@cast(p, "file", "kernel")->f_pos = 1'), 3, "writes into the kernel (@cast"),
    (in_handler('@var("jiffies")->x -= 1'), 3, "writes into the kernel (@var"),
    (in_handler("$value = 1"), 3, "writes into the kernel ($value)"),
    ("function f(p:long) {\n  $x = 1 }", 2, "writes into the kernel ($x)"),
    ("probe begin { }\n/* open", 2, "the comment that begins here does not end"),
]


@pytest.mark.parametrize("level", ["script", "probe"])
@pytest.mark.parametrize(("text", "line", "what"), AT_ANY_LEVEL)
def test_no_script_may(text: str, line: int, what: str, level: policy.Level) -> None:
    assert any(at == line and what in said for at, said in found(text, level)), found(text, level)


@pytest.mark.parametrize("level", ["script", "probe"])
@pytest.mark.parametrize("hidden_by", COMMANDS)
def test_no_script_may_run_a_command_however_it_is_hidden(hidden_by: str, level: policy.Level) -> None:
    script, arguments = COMMANDS[hidden_by]
    said = [fault.what for fault in policy.faults(script, level, arguments=arguments)]
    assert "system() runs a command on the host" in said


@pytest.mark.parametrize("what", HARMLESS)
def test_what_only_looks_like_a_command_is_none(what: str) -> None:
    script, arguments = HARMLESS[what]
    assert policy.faults(script, "script", arguments=arguments) == []


def test_arguments_do_not_make_a_script_longer_than_scripts_may_be() -> None:
    for script, argument in (("$1 " * 50_000, "x"), ("$1 $1", "x" * 200_000)):
        (fault,) = policy.faults(script, "script", arguments=[argument])
        assert fault.what == "gets too long with its arguments"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("#!/usr/bin/stap -g\nprobe begin {}", "asks for guru mode"),
        (
            'probe begin { printf("on\\n")\nprobe never { printf("x\\n") }\n',
            "the { on this line does not close",
        ),
        ("probe begin { println(1 }\nprobe never { }", "the { on this line does not close"),
        ("#!/usr/bin/env stap -vg\nprobe begin {}", "asks for guru mode"),
        ("#!/usr/bin/stap\nprobe begin {}", ""),
        ("function raise:long(x:long) { return x }\nprobe fd.open { n = raise(1) }", ""),
        ("probe fd.open { raise(9) }", "raise() sends signals to processes"),
        ("#!/usr/bin/stap -DMAXSKIPPED=1\nprobe begin {}", ""),
        ('probe begin { printf("%s", execname()) exit() } global a probe end { a[1]++ print("x") }', ""),
        ('probe kernel.function("*") { system_calls++ }', ""),
        ('probe procfs("x").read { $value = "text" }', ""),
        ('probe procfs("x").read.maxsize(100) { $value = "text" }', ""),
        ('probe prometheus { $value .= "text" }', ""),
        ("probe fd.open { if ($a->b == 1 && $c <= 2) x = $d }", ""),
        ("probe fd.open { x[$a] = $b  y->z }", ""),
        ("global t probe fd.open { t[$p->pid] = 1  t[f($p->pid), 2] <<< 1  delete t[$p->pid] }", ""),
        ('probe fd.open { @cast($p->q, "x")->y = 1 }', "writes into the kernel"),
        ("probe fd.open { $p->q[1] = 1 }", "writes into the kernel"),
    ],
)
def test_a_script_of_somebodys_own_may_do_the_rest(text: str, what: str) -> None:
    said = found(text, "script")
    assert any(what in sentence for _, sentence in said) if what else said == []


OF_A_PROBE = [
    (in_handler("exit()"), 3, "exit() ends the session"),
    (in_handler("abort()"), 3, "abort() ends the session"),
    ("\nprobe oneshot { x = 1 }", 2, "oneshot ends the session"),
    ('probe kernel.function("*") { if (!fd_sampling()) next }', 1, 'kernel.function("*") probes everything'),
    (
        'probe a,\nkernel.function("*").return ? { if (!fd_sampling()) next }',
        2,
        'kernel.function("*") probes everything',
    ),
    ('probe kernel.function("*@*") { if (!fd_sampling()) next }', 1, "probes everything"),
    ('probe kernel.trace("*") { if (!fd_sampling()) next }', 1, 'kernel.trace("*") probes everything'),
    ('probe kernel.trace("*:*") { if (!fd_sampling()) next }', 1, "probes everything"),
    ('probe process("/bin/sh").function("*").call { if (!fd_sampling()) next }', 1, "probes everything"),
    ('probe module("*").function("**") { if (!fd_sampling()) next }', 1, "probes everything"),
    ("probe kernel.statement(0xff).absolute { if (!fd_sampling()) next }", 1, "probes an address"),
    ("probe perf.hw.cpu_cycles { if (!fd_sampling()) next }", 1, "from a non-maskable interrupt"),
    (in_handler('printf("%s\\n", execname())'), 3, "prints execname() as it is"),
    (in_handler('printf("%d %-*s %s", 1, 9, name, fd_str(x))'), 3, "prints name as it is"),
    (in_handler('printf("%s", fd_str(a) . b)'), 3, "prints fd_str(a).b as it is"),
    (in_handler('printf("%s", a ? fd_str(b) : c)'), 3, "as it is"),
    (in_handler('printf("%s", fd_str(a)[1] . (b))'), 3, "as it is"),
    (in_handler('printf("%s", fd_strange(a))'), 3, "as it is"),
    (in_handler('printf("%c", number)'), 3, "prints number as it is"),
    (in_handler('printf("%5m", address)'), 3, "prints raw memory (%m of address)"),
    (in_handler("printf(format, 1)"), 3, "printf() without a format"),
    (in_handler('printf("%d %d\\n", 1)'), 3, "printf() has 2 places in its format and 1 values"),
    (in_handler('print("x")'), 3, "prints with print()"),
    (in_handler("println(execname())"), 3, "prints with println()"),
    (in_handler('error("x")'), 3, "prints with error()"),
    (in_handler('ftrace("x")'), 3, "prints with ftrace()"),
    (in_handler("print_ubacktrace()"), 3, "prints with print_ubacktrace()"),
    (in_handler("print_usyms(ubacktrace())"), 3, "prints with print_usyms()"),
    (in_handler("assert(0, execname())"), 3, "prints with assert()"),
    (in_handler("warn(execname())"), 3, "warns of execname() as it is"),
    (in_handler('warn(sprintf("%s", execname()))'), 3, "warns of sprintf("),
    (in_handler('warn(sprintf("%d", 1) . execname())'), 3, "warns of sprintf("),
    ("function text_str:string(s:string) { return s }", 1, "defines text_str, a function of SystemTap's own"),
    ("function ppfunc:string() { return execname() }", 1, "defines ppfunc, a function of SystemTap's own"),
    ("function warn(a:string, b:string) { }", 1, "defines warn, a function of SystemTap's own"),
    (
        "@define n %( text_str %)\nfunction @n:string(s:string) { return s }",
        2,
        "defines a function without saying its name",
    ),
    (
        "function %( 0 %? a %: text_str %) :string(s:string) { return s }",
        1,
        "defines a function without saying its name",
    ),
    (
        "@define d(n) %( function pp:string(s:string) { return @n } %)",
        1,
        "the macro @d holds a declaration",
    ),
    (
        "@define lp %( ( %)\n" + in_handler('printf @lp "%s", execname())'),
        4,
        "uses printf without its bracket",
    ),
    ("@define lp %( ( %)\n" + in_handler("warn @lp execname())"), 4, "uses warn without its bracket"),
    ("@define c(x) %( @x (execname()) %)\n" + in_handler("@c(warn)"), 4, "uses warn without its bracket"),
    (
        "@define m %( x) . execname( %)\n" + in_handler('printf("%s", text_str(@m))'),
        1,
        "the macro @m holds half a pair of brackets",
    ),
    ("global a, b[9]\n" + in_handler("a[1]++"), 1, "the array a has no size"),
    ("global a[9], b\n" + in_handler("if (x in b) next"), 1, "the array b has no size"),
    ("probe timer.ms(10) { count++ }", 1, "probe timer.ms(10) does not ask whether the window is open"),
    ("probe my.own = timer.ms(10) { }\n\nprobe my.own { count++ }", 3, "probe my.own does not ask"),
    ("probe my.own = timer.ms(10) { x = 1 }", 1, "probe my.own does not ask"),
    ("probe end, timer.s(1) { x = 1 }", 1, "probe timer.s(1) does not ask"),
    ('probe begin { printf("x\\n") }', 1, "probe begin prints before the window"),
    ("global fd_x", 1, "defines fd_x"),
    ("\nfunction fd_str(a) { return a }", 2, "defines fd_str"),
    ("\n@define fd_x %( 1 %)", 2, "defines @fd_x"),
    ("probe fd.mine = end { x = 1 }", 1, "defines fd.mine"),
    (in_handler("fd_window_state = 1"), 3, "changes fd_window_state"),
    (in_handler("fd_sequence++"), 3, "changes fd_sequence"),
    (in_handler("--fd_sequence"), 3, "changes fd_sequence"),
    (in_handler("fd_set_window(1)"), 3, "uses fd_set_window"),
    (in_handler('printf("%s\\n", fd_str(fd_nonce()))'), 3, "uses fd_nonce"),
    (in_handler('fd_set_nonce("0123456789abcdef")'), 3, "uses fd_set_nonce"),
]


@pytest.mark.parametrize(("text", "line", "what"), OF_A_PROBE)
def test_no_probe_of_a_catalog_may(text: str, line: int, what: str) -> None:
    assert any(at == line and what in said for at, said in found(text)), found(text)
    assert not any(what in said for _, said in found(text, "script"))


ALLOWED = [
    in_handler('printf("%d %x %p %5.2d%% %ld\\n", 1, 2, 3, 4, 5)'),
    in_handler('printf("%s %s\\n", (a ? "yes" : "no"), fd_str(x) . " " . "y")'),
    in_handler('printf("%s %-20s\\n", ppfunc(), a == 1 ? fd_str(b) : (c ? "d" : fd_str(e)))'),
    in_handler('printf("a" "%s\\n", fd_str(b))'),
    in_handler('warn("x")'),
    in_handler('warn(sprintf("x: %d %s", n, fd_str(name)))'),
    in_handler("error = $ret  if (error) next"),
    in_handler("if ($skb->system == 1) system = 2"),
    in_handler('printf("%s", a ? b ? "c" : "d" : e ? fd_str(f) : "g")'),
    in_handler("print(@hist_log(times))"),
    in_handler('x = sprintf("%s", execname())'),
    'probe module("ext4").function("*") { if (!fd_sampling()) next }',
    'probe kernel.function("vfs_*"), kernel.trace("sched:*") { if (!fd_sampling()) next }',
    "probe begin { names[1] = 2 }\nglobal names[9]",
    "probe end, error, fd.interval { x = 1 }",
    "probe my.own = timer.ms(10) { if (!fd_sampling()) next }\nprobe my.own, end { x = 1 }",
    "function on() { return fd_sampling() }\n@define go %( if (!on()) next %)\nprobe timer.s(1) { @go x = 1 }",
    "global times, total\n" + in_handler("times <<< 1  total++  x->times[1]"),
    in_handler("steps = fd_path_steps  if (fd_path_steps == 2) next"),
]


@pytest.mark.parametrize("text", ALLOWED)
def test_a_probe_of_a_catalog_may(text: str) -> None:
    assert found(text) == []


ROW = 'printf("%s\\t%d\\t%s\\t%d\\n", fd_row("counts"), pid, fd_str(name), seen[pid, name])'


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ('printf("hello\\n")', "prints something that is no row"),
        ('printf("%d\\t%s\\n", 1, fd_row("counts"))', "prints something that is no row"),
        (
            'printf("%s\\t%d\\n", fd_row(table), 1)',
            "prints rows of table ?, which the manifest does not have",
        ),
        (
            'x = "counts" printf("%s\\t%d\\n", fd_row(x), 1)',
            "prints 1 field of table counts, which has 3 columns",
        ),
        (ROW.replace("counts", "count"), "prints rows of table count, which the manifest does not have"),
        (ROW.replace("counts", "count"), "nothing prints the table counts of the manifest"),
        (
            ROW.replace("\\t%d\\n", "\\n").replace(", seen[pid, name]", ""),
            "prints 2 fields of table counts, which has 3",
        ),
        (ROW.replace("%d\\n", "%d"), "a row of counts is not one line"),
        (ROW.replace("\\t%s", "\\n%s"), "a row of counts is not one line"),
        ("print(@hist_log(seen))", "prints with print()"),
    ],
)
def test_rows_are_those_of_the_manifest(row: str, what: str) -> None:
    text = GOOD.replace(ROW, row)
    assert text != GOOD
    assert any(what in said for _, said in found(text, "probe", probe())), found(text, "probe", probe())
    assert not any("table" in said for _, said in found(text, "probe", probe("text")))


def test_a_function_may_print_the_rows_of_several_tables() -> None:
    by_function = (
        "function rows(table:string, pid:long, name:string) {\n  "
        + ROW.replace('"counts"', "table")
        + "\n}\n"
    )
    text = GOOD.replace(ROW, 'rows("counts", pid, name)') + by_function
    assert found(text, "probe", probe()) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("probe module(@1).function(@2) { if (!fd_sampling() || x > $3) next }", ""),
        (
            "probe module($1).function(@2) { if (!fd_sampling()) next }",
            "$1 would put the text of module into",
        ),
        ("probe module(@1).function(@4) { if (!fd_sampling()) next }", "@4: the manifest has 3 parameters"),
        ("probe module(@1).function(@0) { if (!fd_sampling()) next }", "@0: the manifest has 3 parameters"),
    ],
)
def test_arguments_are_the_parameters_that_are_compiled_in(text: str, what: str) -> None:
    text_parameter = {"type": "string", "default": "x", "when": "compile", "description": "A."}
    number = {"type": "int", "default": 1, "when": "compile", "description": "A."}
    loaded = {"type": "int", "default": 1, "description": "A."}
    manifest = probe("text", loaded=loaded, module=text_parameter, function=text_parameter, number=number)
    said = found("global loaded = 1\n" + text, "probe", manifest)
    assert any(what in sentence for _, sentence in said) if what else said == []


@pytest.mark.parametrize(
    ("declared", "line", "what"),
    [
        ('global threshold_ms = 1000, all = 1, name = "a" "b", interval_s', 0, ""),
        ("global threshold_ms, all, name", 0, ""),
        ("global threshold_ms = 1000, all", 1, "has no global for the parameter name"),
        (
            "global all, name\nglobal threshold_ms = 500",
            2,
            "begins with '500', but its default in the manifest is 1000",
        ),
        (
            'global threshold_ms, all, name = "b"',
            1,
            "begins with 'b', but its default in the manifest is 'ab'",
        ),
        ("global threshold_ms, all = 0, name", 1, "begins with '0', but its default in the manifest is True"),
        ("global threshold_ms[9], all, name", 1, "the parameter threshold_ms is an array"),
    ],
)
def test_parameters_are_globals(declared: str, line: int, what: str) -> None:
    manifest = probe(
        "text",
        threshold_ms={"type": "int", "default": 1000, "description": "A."},
        all={"type": "bool", "default": True, "description": "A."},
        name={"type": "string", "default": "ab", "description": "A."},
        interval_s={"type": "int", "default": 5, "description": "A."},
    )
    said = found(declared + "\n" + in_handler("x = threshold_ms"), "probe", manifest)
    assert any(at == line and what in sentence for at, sentence in said) if what else said == []


def test_the_tapset_may_hold_c_and_has_its_own_names() -> None:
    text = "%{ int x; %}\nfunction fd_x() %{ %}\nprobe fd.y = timer.s(1) { if (!fd_sampling()) next }"
    assert found(text, "tapset") == []
    assert found(text + '\nprobe end { exit() printf("%s", execname()) }', "tapset") == [
        (4, "exit() ends the session"),
        (4, "prints execname() as it is, so that a name could forge a row"),
    ]


def test_what_is_still_to_do() -> None:
    text = '// TODO: this\nprobe end { x = "TODO" } /* and\nthis TODO */ # XXX TODOS\n'
    assert [fault.line for fault in policy.unfinished(text)] == [1, 3]


def test_a_sweep_is_refused_in_one_sentence(tmp_path: Path) -> None:
    script = tmp_path / "p.stp"
    script.write_text("\n" + in_handler('system("x")  exit()'))
    with pytest.raises(FleetdiagError) as caught:
        policy.enforce(script, "probe")
    assert str(caught.value) == (
        f"{script}:4: exit() ends the session; take it out: the session ends with the window"
        f" (and 1 more: fleetdiag probes check {tmp_path})"
    )
    script.write_text(GOOD)
    policy.enforce(script, "probe", probe())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n\xff", ":2: is not UTF-8 text; save it as UTF-8"),
        (b"\n\n\0", ":3: holds a zero byte; take it out"),
        (b"#" * 300_000, ":1: the script is larger than 262144 bytes; shorten it"),
        (None, ": No such file or directory; make it readable"),
    ],
)
def test_a_file_that_is_no_script(tmp_path: Path, content: bytes | None, said: str) -> None:
    script = tmp_path / "p.stp"
    if content is not None:
        script.write_bytes(content)
    with pytest.raises(FleetdiagError) as caught:
        policy.enforce(script, "script")
    assert str(caught.value) == f"{script}{said}"


@given(PIECES)
def test_any_text_has_faults_or_none(text: str) -> None:
    for level in ("script", "probe", "tapset"):
        for fault in policy.faults(text, level, probe()):  # type: ignore[arg-type]
            assert 1 <= fault.line <= text.count("\n") + 1
            assert "\n" not in fault.what + fault.advice


DEEP = [
    "printf(" * 30_000 + ")" * 30_000,
    'printf("%s", ' + "(" * 60_000 + "x" + ")" * 60_000 + ")",
    'printf("%s", ' + "(a?" * 3_000 + "1" + ":2)" * 3_000 + ")",
    'printf("%s", ' + '"a".(' * 3_000 + '"b"' + ")" * 3_000 + ")",
    "a[" * 20_000 + "1" + "]=" * 20_000 + "1",
    "]=" * 60_000,
    "{" * 60_000,
]


@pytest.mark.parametrize("code", DEEP, ids=range(len(DEEP)))
def test_brackets_are_only_so_deep(code: str) -> None:
    said = found("probe begin { " + code + " }")
    assert said == [(1, "more than 64 brackets are open, or closed, at once")]


def test_a_number_that_is_too_long_is_no_value() -> None:
    assert found("global a = " + "1" * 5_000, "script") == []
    assert any(
        "the manifest has 0 parameters" in what
        for _, what in found(in_handler("x = $" + "1" * 5_000), "probe", probe("text"))
    )


LONG = {  # made of so many pieces
    "unclosed comments": lambda n: "/*" * 5 * n,
    "unclosed texts": lambda n: "probe begin { x = " + '\\"' * n,
    "C code that does not end": lambda n: "%{" * n,
    "choices without brackets": lambda n: in_handler('printf("%s", ' + "a?" * n + '"x"' + ':"y"' * n + ")"),
    "functions that ask through another": lambda n: (
        "".join(f"function f{at}() {{ f{at + 1}() }}\n" for at in range(n // 8))
        + f"function f{n // 8}() {{ fd_sampling() }}"
    ),
    "one function many times": lambda n: "function f() { x }" * (n // 4),
    "globals and bodies": lambda n: "".join(
        f"global g{at}\nprobe timer.ms({at}) {{ x }}\n" for at in range(n // 8)
    ),
    "points of one body": lambda n: "probe begin" + ", begin" * n + " { " + "x " * n + "}",
    "a width of zeros": lambda n: in_handler('printf("%' + "0" * 4 * n + '#", x)'),
    "a pattern of stars": lambda n: 'probe kernel.function("' + "*" * 4 * n + 'x") { }',
    "nested calls": lambda n: in_handler(("f(" * 60 + ")" * 60) * (n // 40)),
    "assignments behind brackets": lambda n: in_handler("{ ]= " * 30 + "a[1]= " * n),
}


def steps(text: str) -> int:
    """Processor time in microseconds that it takes to judge a script."""
    began = time.process_time()
    policy.faults(text, "probe", probe("text"))
    return round((time.process_time() - began) * 1e6)


@pytest.mark.parametrize("made_of", LONG)
def test_a_script_takes_time_in_proportion_to_its_length(made_of: str) -> None:
    """Sixteen times the length takes sixteen times as long, and 256 times where somebody looks at all for each."""
    make = LONG[made_of]
    short, long = make(1_500), make(24_000)
    assert len(long) <= policy.MAX_BYTES * 2
    least = min(steps(short) for _ in range(3))
    assert steps(long) < 90 * max(least, 2_000)
