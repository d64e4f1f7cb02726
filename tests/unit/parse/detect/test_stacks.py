# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks that scripts print with their counts, as SystemTap's runtime writes them."""

from __future__ import annotations

import pytest
from foreign import read_fleet

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import stacks

SCRIPT = """
global s
probe timer.profile { s[backtrace()] <<< 1 }
probe timer.s(5) { foreach (i in s-) { print_stack(i); printf("\\t%d\\n", @count(s[i])) }DELETE }
"""
READ = """ 0xffffffff812a3f10 : vfs_read+0x0/0x110 [kernel]
 0xffffffff812a4105 : ksys_read+0x65/0xe0 [kernel]
 0xffffffff81a5b8c0 : do_syscall_64+0x60/0x90 [kernel]
"""
WRITE = """ 0xffffffff812a5f10 : vfs_write+0x0/0x3b0 [kernel] (inexact)
 0xffffffff81a5b8c0 : do_syscall_64+0x60/0x90 [kernel] (inexact)
"""
READS, WRITES = "do_syscall_64;ksys_read;vfs_read", "do_syscall_64;vfs_write"


@pytest.mark.parametrize(
    ("line", "function"),
    [
        (b" 0xffffffff812a3f10 : vfs_read+0x0/0x110 [kernel]", "vfs_read"),
        (b" 0xffffffff812a3f10 : vfs_read+0x0/0x110 at fs/read_write.c:450 [kernel]", "vfs_read"),
        (b" 0x55d0c0 : main(int, char**)+0x1a/0x40 [/usr/bin/app]", "main(int, char**)"),
        (b" 0x7f3027 [/usr/lib/x86_64-linux-gnu/libc.so.6+0x2724a/0x1d5000]", "[libc.so.6]"),
        (b" 0x7f3027 : 0x7f3027", "[unknown]"),
        (b" 0x7f3027 : 0x7f3027 [/usr/lib/libc.so.6+0x2724a/0x1d5000]", "[libc.so.6]"),
        (b"0x7f302710 (inexact)", "[unknown]"),
        (b"vfs_read+0x1c [kernel]", "vfs_read"),
        (b"Returning from:  0xffffffff812a3f10 : vfs_read+0x0/0x110 [kernel]", "vfs_read"),
        (b"Returning to  :  0xffffffff812a4105 : ksys_read+0x65/0xe0 [kernel]", "ksys_read"),
        (b"vfs_read [kernel]", None),
        (b"nginx 0x12", None),
        (b"reads: 5", None),
    ],
)
def test_a_line_of_a_stack(line: bytes, function: str | None) -> None:
    assert stacks.frame_of(line) == function


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b"\t12", (12, "")),
        (b"count: 12", (12, "")),
        (b"12 times", (12, "")),
        (b"samples = 12", (12, "")),
        (b"nginx 12", (12, "nginx")),
        (b"Web Content: 12", (12, "Web Content")),
        (b"avg 12", None),
        (b"12 us", None),
        (b"12 34", None),
        (b"max latency: 12", None),
        (b"took 12.5", None),
    ],
)
def test_a_count(line: bytes, count: tuple[int, str] | None) -> None:
    assert stacks.count_of(line) == count


def test_stacks_with_their_counts_are_a_table() -> None:
    printed = f"@@T 5000\n{READ}\t12\n{WRITE}\n\t3\n"
    fleet = read_fleet({"web1": printed, "web2": printed.replace("12", "40")}, SCRIPT)
    assert fleet.probe.output == "table"
    assert fleet.sums("web1") == {(READS,): [12], (WRITES,): [3]}
    assert fleet.sums("web2") == {(READS,): [40], (WRITES,): [3]}


@pytest.mark.parametrize(("deleted", "count"), [(" delete s", 32), ("", 20)])
def test_prints_of_stacks_add_up_if_the_script_forgets_them(deleted: str, count: int) -> None:
    printed = f"@@T 5000\n{READ}\t12\n{WRITE}\t3\n@@T 10000\n{READ}\t20\n{WRITE}\t4\n"
    fleet = read_fleet({"web1": printed}, SCRIPT.replace("DELETE", deleted))
    assert fleet.sums("web1")[READS,] == [count]


def test_the_process_stands_above_or_beside_the_count() -> None:
    above = f"@@T 5000\nnginx\n{READ}\t12\nmysqld\n{READ}\t3\n"
    beside = f"@@T 5000\n{READ}nginx 12\n{READ}mysqld 3\n"
    for printed in (above, beside):
        fleet = read_fleet({"web1": printed}, SCRIPT)
        assert fleet.sums("web1") == {("nginx", READS): [12], ("mysqld", READS): [3]}
        assert fleet.results["web1"].text_lines_total == 0


def test_text_and_tables_beside_stacks_stay_what_they_are() -> None:
    table = "PROCESS   READS\nnginx   7\nmysqld   9\ncrond    4\n"
    printed = f"@@T 5000\nCollecting...\n{READ}\t12\n{WRITE}\t3\n\n{table}"
    fleet = read_fleet({"web1": printed}, SCRIPT)
    assert fleet.sums("web1", "stacks") == {(READS,): [12], (WRITES,): [3]}
    assert fleet.sums("web1", "table") == {("nginx",): [7], ("mysqld",): [9], ("crond",): [4]}
    assert fleet.results["web1"].text_lines == ("Collecting...",)


@pytest.mark.parametrize("below", ["avg 12", "12 us", "", "something else"])
def test_stacks_without_a_count_are_text(below: str) -> None:
    printed = f"@@T 5000\n{READ}{below}\n{WRITE}{below}\nend of it\n"
    fleet = read_fleet({"web1": printed}, SCRIPT)
    assert (fleet.probe.output, fleet.rows["web1"]) == ("text", [])
