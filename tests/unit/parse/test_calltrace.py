# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.calltrace import (
    MAX_DEPTH,
    OTHER,
    CalltraceForm,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import (
    CallNode,
    CallTree,
    SessionResult,
)

Fixture = Callable[..., Any]


def fold(lines: Iterable[str], **limits: int) -> tuple[list[CallTree], SessionResult]:
    form = CalltraceForm(**limits)
    for line in lines:
        form.line(line.encode())
    result = SessionResult()
    form.finish(result)
    return list(result.calltrees), result


def shown(tree: CallTree) -> list[tuple[str, int, int, int, int]]:
    return [("/".join(n.path), n.count, n.total_us, n.self_us, n.unfinished) for n in tree.nodes]


LS = """\
     0 ls(31789): ->ext4_file_open
     5 ls(31789):  ->ext4_inode_csum
     9 ls(31789):  <-ext4_inode_csum
    12 ls(31789): <-ext4_file_open
     0 ls(31789): ->ext4_readdir
    10 ls(31789):  ->ext4_get_inode_loc
    31 ls(31789):  <-ext4_get_inode_loc
    32 ls(31789):  ->ext4_get_inode_loc
    40 ls(31789):  <-ext4_get_inode_loc
    50 ls(31789): <-ext4_readdir
"""


def test_calls_are_folded_with_count_total_and_self(make_probe: Fixture, read: Fixture) -> None:
    rows, result = read(make_probe("calltrace"), LS.encode())
    assert rows == []
    (tree,) = result.calltrees
    assert tree == CallTree(
        "ls",
        (
            CallNode(("ext4_readdir",), 1, 50, 21),
            CallNode(("ext4_readdir", "ext4_get_inode_loc"), 2, 29, 29),
            CallNode(("ext4_file_open",), 1, 12, 8),
            CallNode(("ext4_file_open", "ext4_inode_csum"), 1, 4, 4),
        ),
    )
    assert (result.rejected_lines, result.folded_calls, result.notes) == (0, 0, [])


def test_threads_of_one_name_share_a_tree_and_keep_their_stacks() -> None:
    trees, _ = fold(
        [
            "0 w(1): ->a",
            "0 w(2): ->a",
            "5 w(1):  ->b",
            "7 w(2): <-a",
            "9 w(1):  <-b",
            "0 x(3): ->a",
            "10 w(1): <-a",
        ]
    )
    assert [tree.process for tree in trees] == ["w", "x"]
    assert shown(trees[0]) == [("a", 2, 17, 13, 0), ("a/b", 1, 4, 4, 0)]
    assert shown(trees[1]) == [("a", 1, 0, 0, 1)]
    assert (trees[1].unfinished, trees[1].orphan_returns) == (1, 0)


@pytest.mark.parametrize(
    ("line", "process", "function"),
    [
        ("     0 tmux: server(7): ->f", "tmux: server", "f"),
        ("     0 (sd-pam)(7): ->f", "(sd-pam)", "f"),
        ("     0 a(9): ->g(7): ->f", "a(9): ->g", "f"),
        ("     0 kworker/0:1(7): -> f", "kworker/0:1", "f"),
        (r"     0 a\tb\377(7): ->f", "a\tb\\xff", "f"),
        ("     0 ls(7): ->f inode=0x3 flags=1", "ls", "f"),
        ('     0 ls(7): ->f name="x(9): ->evil"', "ls", "f"),
        ('     0 ls(7): ->f name="x(9): ->evil" ', "ls", "f"),
        ("123456789 ls(7):     ->f", "ls", "f"),
        ("0 (7): ->f", "", "f"),
        ("0  x(7): ->f", " x", "f"),
    ],
)
def test_names_cannot_imitate_the_rest_of_the_line(line: str, process: str, function: str) -> None:
    trees, _ = fold([line])
    assert [(tree.process, [node.path for node in tree.nodes]) for tree in trees] == [
        (process, [(function,)])
    ]


@pytest.mark.parametrize(
    "line", ["hello", "0 ls: ->f", "0 ls(7): f", "0 ls(7): ->", "x ls(7): ->f", f"0 {'c' * 16}(7): ->f"]
)
def test_other_lines_are_rejected(make_probe: Fixture, read: Fixture, line: str) -> None:
    _, result = read(make_probe("calltrace"), f"{line}\n\n".encode())
    assert result.rejected_lines == 1
    assert result.calltrees == ()


def test_a_missing_return_adds_no_time_and_the_caller_is_still_matched() -> None:
    # b's return probe was missed; SystemTap's own depth then stays one too deep.
    trees, _ = fold(["0 p(1): ->a", "2 p(1):  ->b", "9 p(1):  <-a", "20 p(1):  ->c", "25 p(1):  <-c"])
    assert shown(trees[0]) == [("a", 1, 9, 9, 0), ("a/b", 1, 0, 0, 1), ("c", 1, 5, 5, 0)]
    assert (trees[0].unfinished, trees[0].orphan_returns) == (1, 0)


def test_a_missing_call_is_an_orphan_return() -> None:
    trees, _ = fold(["0 p(1): <-before", "0 p(1): ->a", "4 p(1):  <-lost", "9 p(1): <-a"])
    assert shown(trees[0]) == [("a", 1, 9, 9, 0)]
    assert (trees[0].unfinished, trees[0].orphan_returns) == (0, 2)


def test_lost_lines_close_what_the_depth_says_is_closed() -> None:
    trees, _ = fold(["0 p(1): ->a", "1 p(1):  ->b", "0 p(1): ->a", "3 p(1): <-a"])
    assert shown(trees[0]) == [("a", 2, 3, 3, 1), ("a/b", 1, 0, 0, 1)]


def test_a_process_that_changes_its_name_inside_a_call() -> None:
    trees, _ = fold(["0 sh(1): ->exec", "1 ls(1):  ->map", "5 ls(1):  <-map", "9 ls(1): <-exec"])
    assert {tree.process: shown(tree) for tree in trees} == {
        "sh": [("exec", 1, 9, 9, 0)],
        "ls": [("map", 1, 4, 4, 0)],
    }


def test_a_return_that_prints_an_address_is_matched_by_depth() -> None:
    trees, _ = fold(
        ["0 p(1): ->a", "1 p(1):  ->b", "4 p(1):  <-0xffffffffc0a1b2c3", "9 p(1): <-0xffffffffc0a1b2c3"]
    )
    assert shown(trees[0]) == [("a", 1, 9, 6, 0), ("a/b", 1, 3, 3, 0)]


def test_recursion_does_not_count_time_twice() -> None:
    trees, _ = fold(["0 p(1): ->f", "1 p(1):  ->f", "3 p(1):  <-f", "5 p(1): <-f"])
    assert shown(trees[0]) == [("f", 1, 5, 3, 0), ("f/f", 1, 2, 2, 0)]


def test_a_clock_that_steps_back_gives_no_negative_time() -> None:
    trees, _ = fold(["10 p(1): ->a", "12 p(1):  ->b", "11 p(1):  <-b", "13 p(1): <-a"])
    assert shown(trees[0]) == [("a", 1, 3, 3, 0), ("a/b", 1, 0, 0, 0)]


def test_a_full_tree_folds_into_other_and_says_so() -> None:
    lines = [
        "0 p(1): ->a",
        "1 p(1):  ->b",
        "2 p(1):   ->c",
        "3 p(1):    ->d",
        "6 p(1):    <-d",
        "7 p(1):   <-c",
        "8 p(1):  <-b",
        "10 p(1): <-a",
    ]
    trees, result = fold(lines, max_nodes=2)
    assert shown(trees[0]) == [("a", 1, 10, 3, 0), ("a/b", 1, 7, 2, 0), (f"a/b/{OTHER}", 2, 5, 5, 0)]
    assert result.folded_calls == 2
    assert result.notes == [
        "2 calls are counted under (other): a call tree holds 2 nodes and 500 process names"
    ]


def test_many_process_names_fold_into_other() -> None:
    lines = itertools.chain.from_iterable((f"0 p{n}({n}): ->a", f"1 p{n}({n}): <-a") for n in range(1, 100))
    trees, result = fold(lines, max_processes=10)
    assert len(trees) == 11
    assert sum(node.count for tree in trees for node in tree.nodes) == 99
    assert next(tree for tree in trees if tree.process == OTHER).nodes[0].count == 89
    assert result.folded_calls == 89


def test_memory_is_bounded_for_endless_names_threads_and_depths() -> None:
    def lines() -> Iterable[str]:
        for n in range(25_000):
            yield f"0 p{n % 1000}({n}): {' ' * (n % 700)}->f{n}"
        for depth in range(3 * MAX_DEPTH):
            yield f"{depth} deep(1): {' ' * depth}->g"

    tracemalloc.start()
    trees, result = fold(lines())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20
    assert sum(len(tree.nodes) for tree in trees) <= 41_000
    assert result.folded_calls > 0
    assert len(result.notes) == 2


CALLS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from("pq"),
        st.integers(1, 2),
        st.integers(0, 4),
        st.booleans(),
        st.sampled_from("abc"),
    ),
    max_size=60,
)


@given(CALLS)
def test_any_order_of_calls_and_returns_adds_up(events: list[tuple[int, str, int, int, bool, str]]) -> None:
    lines = [
        f"{us} {comm}({tid}): {' ' * depth}{'->' if call else '<-'}{name}"
        for us, comm, tid, depth, call, name in events
    ]
    trees, result = fold(lines, max_nodes=5)
    nodes = [node for tree in trees for node in tree.nodes]
    calls = sum(1 for event in events if event[4])
    assert sum(node.count for node in nodes) == calls
    assert sum(node.unfinished for node in nodes) == sum(tree.unfinished for tree in trees)
    finished = calls - sum(tree.unfinished for tree in trees)
    assert finished + sum(tree.orphan_returns for tree in trees) == len(events) - calls
    assert all(node.total_us >= 0 and node.self_us >= 0 and node.unfinished <= node.count for node in nodes)
    assert result.rejected_lines == 0
