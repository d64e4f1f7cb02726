# SPDX-License-Identifier: GPL-3.0-or-later
"""Values come to the same however they are cut into columns, and hosts however they are joined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.aggregates import fold_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, batch_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Compare, Table

HOWS = ("sum", "max", "min", "mean", "count", "last", "p50", "p95", "p99")


def measure(how: Any, kind: Any = "float", **more: Any) -> Column:
    return Column(f"{kind}_{how}", kind, "measure", "It.", merge=how, **more)


NAME = Column("name", "string", "key", "It.")
EVERY = Table(
    "t",
    "It.",
    (NAME, *map(measure, HOWS), measure("sum", "int", rate=True, compare=Compare(scope="key"))),
    interval=True,
)

rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 20_000), st.floats(0, 1e6), st.integers(0, 9)),
    max_size=40,
)


def made(found: list[tuple[str, int, float, int]]) -> list[Row]:
    return [
        Row("t", t_ms, number, (name, *[figure] * len(HOWS), whole))
        for number, (name, t_ms, figure, whole) in enumerate(found, 1)
    ]


@settings(max_examples=30, deadline=None)
@given(rows, st.integers(1, 10), st.integers(2, 50))
def test_batches_of_any_size_fold_alike(
    found: list[tuple[str, int, float, int]], size: int, max_keys: int
) -> None:
    tables = []
    for each in (1, size, 1000):
        merger = HostMerger(EVERY, 5, max_keys)
        given_rows = made(found)
        for start in range(0, len(given_rows), each):
            merger.add_batch(batch_of(given_rows[start : start + each]))
        tables.append((merger.finish("web1", 10.0), merger.folded(10.0)))
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("weighed", [False, True])
def test_states_joined_are_those_of_all_values(how: str, weighed: bool) -> None:
    values = [3, 9, 1, 9, 4]
    fold = fold_of(measure(how, "int"), weighed)
    whole, first, second, joined = (fold.begin() for _ in range(4))
    for states in (whole, first, second, joined):
        states.grow(1)
    whens = [(t_ms, t_ms + 1) for t_ms in range(5)]
    whole.add_all(0, values, whens)
    first.add([0, 0], values[:2], whens[:2])
    second.add([0, 0, 0], values[2:], whens[2:])
    joined.join([0], first.states([0], [2]))
    joined.join([0], second.states([0], [3]))
    assert joined.states([0], [5]) == whole.states([0], [5])


def test_only_what_is_compared_by_key_keeps_what_its_records_are_like() -> None:
    def parts(scope: Any) -> tuple[Any, Any]:
        table = Table("t", "It.", (NAME, measure("sum", "int", compare=Compare(scope=scope))))
        merger = HostMerger(table)
        merger.add(Row("t", 1, 1, ("a", 3)))
        merger.add(Row("t", 1, 2, ("a", 4)))
        host = merger.finish("web1", None)
        return host.total.parts, host.rows[0].parts

    assert parts("host") == (((4, 25.0),), ())
    assert parts("key") == (((4, 25.0),), ((4, 25.0),))
