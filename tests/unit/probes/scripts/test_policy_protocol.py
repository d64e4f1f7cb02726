# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of a catalog does that the host program relies on."""

from __future__ import annotations

import pytest
from policies import found, in_handler, probe

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
