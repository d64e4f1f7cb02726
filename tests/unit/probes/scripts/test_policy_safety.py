# SPDX-License-Identifier: GPL-3.0-or-later
"""What no script may do on a probed host."""

from __future__ import annotations

import pytest
from bypasses import COMMANDS, HARMLESS
from policies import found, in_handler

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

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
