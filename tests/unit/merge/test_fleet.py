# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import calltrees, refold, results
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode, CallTree, Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column, Table


def column(name: str, kind: Any = "int", role: Any = "measure", fold: Any = "", **more: Any) -> Column:
    return Column(name, kind, role, f"{name}.", merge=fold, **more)


PROCESS = column("process", "string", "key")
ALL_FOLDS = Table(
    "t",
    "All folds.",
    (
        PROCESS,
        column("a", fold="sum", rate=True),
        column("b", fold="max"),
        column("c", fold="min"),
        column("d", fold="mean"),
        column("e", fold="count"),
        column("f", fold="last"),
    ),
    interval=True,
    sort="a",
    descending=True,
)
SIMPLE = Table("t", "One sum.", (PROCESS, column("n", fold="sum")), sort="n", descending=True)


def rows(*values: tuple[Any, ...], table: str = "t", step_ms: int = 1000) -> list[Row]:
    return [Row(table, number * step_ms, number, value) for number, value in enumerate(values, 1)]


def folded(table: Table, found: list[Row], **more: Any) -> HostMerger:
    merger = HostMerger(table, **more)
    for row in found:
        merger.add(row)
    return merger


def fleet(
    table: Table, hosts: dict[str, list[Row]], sampled_s: float | None = 10.0, **more: Any
) -> results.MergedTable:
    merger = merge.FleetMerger("p", table, 5, **more)
    for host in sorted(hosts):
        merger.add(host, folded(table, hosts[host], interval_s=5), sampled_s)
    return merger.finish()


def test_every_fold() -> None:
    found = rows(("x", 1, 5, 5, 2, 0, 7), ("x", 2, 9, 4, 4, 0, 8), ("y", 10, 1, 1, 1, 0, 1))
    merged = fleet(ALL_FOLDS, {"web1": found, "web2": rows(("x", 3, 7, 7, 9, 0, 3))})
    assert [(row.host, row.key, row.values) for row in merged.rows()] == [
        ("web1", ("y",), (10, 1, 1, 1.0, 1, 1)),
        ("web1", ("x",), (3, 9, 4, 3.0, 2, 8)),
        ("web2", ("x",), (3, 7, 7, 9.0, 1, 3)),
    ]
    by_key = {total.key: (total.values, total.hosts) for total in merged.keys}
    assert by_key[("x",)] == ((6, 9, 4, 5.0, 3, None), 2)
    assert merged.total is not None
    assert merged.total.values == (16, 9, 1, 4.0, 4, None)
    assert (merged.total.rows, merged.total.keys) == (4, 2)


def test_rates_are_per_second_really_sampled() -> None:
    merger = merge.FleetMerger("p", ALL_FOLDS)
    row = rows(("x", 60, 0, 0, 0, 0, 0))
    merger.add("web1", folded(ALL_FOLDS, row), 30.0)
    merger.add("web2", folded(ALL_FOLDS, row), 15.0)
    merged = merger.finish()
    assert [r.rates[0] for r in merged.rows()] == [2.0, 4.0]
    assert merged.keys[0].rates[0] == 6.0
    assert merged.total is not None
    assert merged.total.rates == (6.0, None, None, None, None, None)


def test_a_rate_is_unknown_where_the_time_is() -> None:
    merger = merge.FleetMerger("p", ALL_FOLDS)
    row = rows(("x", 60, 0, 0, 0, 0, 0))
    merger.add("web1", folded(ALL_FOLDS, row), 30.0)
    merger.add("web2", folded(ALL_FOLDS, row), None)
    merged = merger.finish()
    assert [r.rates[0] for r in merged.rows()] == [2.0, None]
    assert merged.keys[0].rates[0] is None


def test_intervals_of_rows_by_their_time() -> None:
    # Printed at the end of an interval, a little late; the last one is short.
    times = [5002, 10010, 10900, 12000]
    found = [Row("t", t, n, ("x", 1, 1, 1, 1, 1, 1)) for n, t in enumerate(times)]
    host = folded(ALL_FOLDS, found, interval_s=5).finish("web1", None)
    assert [(number, values[0]) for number, values in host.intervals] == [(1, 1), (2, 2), (3, 1)]
    assert [(number, values[0]) for number, values in host.rows[0].series] == [(1, 1), (2, 2), (3, 1)]


def test_intervals_of_printed_tables_by_their_header() -> None:
    found = [Row("t", None, n, ("x", 1, 1, 1, 1, 1, n), interval=n // 2) for n in range(4)]
    host = folded(ALL_FOLDS, found).finish("web1", None)
    assert [(number, values[0]) for number, values in host.intervals] == [(1, 2), (2, 2)]
    assert host.total.values[-1] == 3


def test_no_intervals_without_the_word() -> None:
    assert folded(SIMPLE, rows(("x", 1)), interval_s=5).finish("web1", None).intervals == ()


def test_keys_beyond_the_cap_are_folded_and_shown() -> None:
    found = rows(*[(f"p{n}", 1) for n in range(10)], ("(other)", 5))
    host = folded(SIMPLE, found, max_keys=4).finish("web1", None)
    assert [row.key for row in host.rows] == [("p0",), ("p1",), ("p2",), ("p3",)]
    assert host.total.values == (15,)
    assert (host.total.rows, host.total.keys, host.total.more_keys) == (11, 4, True)
    assert host.other == results.Total((11,), (None,), 7, 0, True)


def test_no_process_can_pass_for_other() -> None:
    host = folded(SIMPLE, rows(("(other)", 5))).finish("web1", None)
    assert host.other is None
    assert host.rows[0].key == ("(other)",)


def test_rows_beyond_the_most_shown_are_counted() -> None:
    host = folded(SIMPLE, rows(*[(f"p{n}", n) for n in range(10)])).finish("web1", None, max_rows=3)
    assert [row.values for row in host.rows] == [(9,), (8,), (7,)]
    assert host.other == results.Total((21,), (None,), 7, 7, False)
    assert host.total.values == (45,)


def test_the_fleet_has_a_cap_too() -> None:
    hosts = {f"web{h}": rows(*[(f"{h}-{n}", 1) for n in range(5)]) for h in range(4)}
    merged = fleet(SIMPLE, hosts, max_keys=7)
    assert len(merged.keys) == 7
    assert merged.other_keys is not None
    assert merged.other_keys.values == (13,)
    assert merged.total is not None
    assert merged.total.values == (20,)


def test_memory_grows_with_keys_and_not_with_rows() -> None:
    merger = HostMerger(SIMPLE)
    for number in range(50_000):
        merger.add(Row("t", 0, number, (f"p{number % 3}", 1)))
    assert len(merger.folded(None).keys) == 3
    assert merger.finish("web1", None).total.values == (50_000,)


@pytest.mark.parametrize(
    ("sort", "descending", "expected"),
    [
        ("n", True, ["b", "a", "c"]),
        ("n", False, ["c", "a", "b"]),
        ("", False, ["b", "a", "c"]),
        ("process", False, ["a", "b", "c"]),
        ("process", True, ["c", "b", "a"]),
    ],
)
def test_order(sort: str, descending: bool, expected: list[str]) -> None:
    table = Table("t", "Sorted.", SIMPLE.columns, sort=sort, descending=descending)
    merged = fleet(table, {"web1": rows(("a", 2), ("b", 3), ("c", 1))})
    assert [row.key[0] for row in merged.rows()] == expected


def test_descending_texts_of_different_length() -> None:
    table = Table("t", "Sorted.", SIMPLE.columns, sort="process", descending=True)
    merged = fleet(table, {"web1": rows(("a", 1), ("ab", 1), ("", 1), ("b", 1))})
    assert [row.key[0] for row in merged.rows()] == ["b", "ab", "a", ""]


def test_a_host_that_is_far_above_the_others_is_on_top() -> None:
    merged = fleet(SIMPLE, {"web1": rows(("x", 5)), "web2": rows(("x", 500)), "web3": rows(("x", 6))})
    assert [host.host for host in merged.hosts] == ["web2", "web3", "web1"]
    assert merged.rows()[0].host == "web2"


def test_a_table_without_rows_or_measures() -> None:
    merged = fleet(SIMPLE, {"web1": []})
    assert merged.hosts[0].total == results.Total((None,), (None,), 0, 0)
    assert merged.total is None
    keys = Table("t", "Keys only.", (PROCESS,))
    assert fleet(keys, {"web1": rows(("b",), ("a",))}).rows()[0].key == ("a",)


SESSION = st.lists(
    st.tuples(st.sampled_from("abc"), *[st.integers(-(2**63), 2**63 - 1)] * 6).map(tuple), max_size=30
)


@given(st.dictionaries(st.sampled_from(["web1", "web2", "web3"]), SESSION, min_size=1), st.randoms())
def test_totals_agree_whatever_the_order(data: dict[str, list[tuple[Any, ...]]], random: Any) -> None:
    hosts = {host: rows(*found) for host, found in data.items()}
    merged = fleet(ALL_FOLDS, hosts)
    shuffled = {host: random.sample(found, len(found)) for host, found in hosts.items()}
    assert fleet(ALL_FOLDS, shuffled) == merged
    everything = [row.values for found in hosts.values() for row in found]
    if everything:
        assert merged.total is not None
        assert merged.total.values[0] == sum(v[1] for v in everything)
        assert merged.total.values[4] == len(everything)
        assert sum(row.rows for row in merged.rows()) == len(everything)
        assert merged.top(3) == merged.rows()[:3]
    else:
        assert merged.total is None


# --- call trees ---


def tree(process: str, *nodes: tuple[str, int, int, int]) -> CallTree:
    return CallTree(process, tuple(CallNode(tuple(p.split("/")), c, t, s) for p, c, t, s in nodes), 1, 2)


def test_call_trees_of_hosts_are_folded_by_path() -> None:
    one = tree("ls", ("a", 1, 10, 5), ("a/b", 1, 5, 5))
    two = tree("ls", ("c", 1, 100, 100), ("a", 2, 20, 20))
    (merged,) = calltrees.merge_calltrees([("web1", [one]), ("web2", [two])])
    assert [(n.node.path, n.node.count, n.node.total_us, n.node.self_us, n.hosts) for n in merged.nodes] == [
        (("c",), 1, 100, 100, 1),
        (("a",), 3, 30, 25, 2),
        (("a", "b"), 1, 5, 5, 1),
    ]
    assert (merged.hosts, merged.unfinished, merged.orphan_returns, merged.more) == (2, 2, 4, 0)
    assert merged.total_us == 130
    assert calltrees.merge_calltrees([("web2", [two]), ("web1", [one])]) == [merged]


def test_slowest_process_first() -> None:
    trees = [tree("cat", ("a", 1, 10, 10)), tree("ls", ("a", 1, 20, 20)), tree("awk", ("a", 1, 10, 10))]
    assert [item.process for item in calltrees.merge_calltrees([("web1", trees)])] == ["ls", "awk", "cat"]


def test_a_cut_tree_keeps_the_slowest_with_their_callers() -> None:
    whole = tree(
        "ls", ("a", 1, 100, 0), ("a/b", 1, 90, 0), ("a/b/c", 1, 80, 80), ("d", 1, 85, 85), ("e", 1, 1, 1)
    )
    cut, more = calltrees.cut_tree(whole, 3)
    assert [node.path for node in cut.nodes] == [("a",), ("a", "b"), ("d",)]
    assert more == 2
    assert calltrees.cut_tree(whole, 5) == (whole, 0)
    (merged,) = calltrees.merge_calltrees([("web1", [whole])], max_nodes=3)
    assert merged.more == 2


def test_deep_traces_need_no_deep_stack() -> None:
    deep = tree("ls", *[("/".join("f" * depth), 1, 10_000 - depth, 1) for depth in range(1, 1500)])
    (merged,) = calltrees.merge_calltrees([("web1", [deep])])
    assert len(merged.nodes) == 1499


LATENCY = Table(
    "t",
    "Requests and the time they took.",
    (
        PROCESS,
        column("requests", fold="sum"),
        column("busy", "duration", fold="sum", unit="us"),
        column("each", "duration", fold="p95", unit="us"),
    ),
    derived=(
        column("latency", "duration", ratio=("busy", "requests")),
        column("share", "float", ratio=("requests", "requests"), unit="%"),
        column("records", fold="records"),
    ),
    sort="latency",
    descending=True,
)


def test_derived_measures_are_computed_after_merging_not_averaged() -> None:
    merged = fleet(
        LATENCY, {"a": rows(("x", 1, 9.0, 9.0)), "b": rows(("x", 99, 1.0, 1.0), ("y", 0, 0.0, 1.0))}
    )
    assert merged.keys[0].values[3:] == (pytest.approx(10.0 / 100), pytest.approx(100.0), 2)
    assert merged.keys[1].values[3:] == (None, None, 1)  # nothing to divide by
    assert merged.total is not None
    assert merged.total.values[3:] == (pytest.approx(0.1), pytest.approx(100.0), 3)
    assert [row.host for row in merged.rows()] == ["a", "b", "b"]  # sorted by the derived measure


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=300), st.integers(0, 300))
def test_percentiles_of_parts_are_those_of_the_whole(values: list[float], cut: int) -> None:
    def p95(hosts: dict[str, list[Row]]) -> Any:
        total = fleet(LATENCY, hosts).total
        assert total is not None
        return total.values[2]

    found = rows(*[("x", 1, 1.0, value) for value in values])
    whole = p95({"a": found})
    assert p95({"a": found[:cut], "b": found[cut:]}) == whole
    exact = sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]
    assert whole == pytest.approx(exact, rel=0.0101)


FOLDABLE = Table(
    "t",
    "What folds again.",
    (*ALL_FOLDS.columns[:4], column("d", "float", fold="mean"), column("e", fold="count")),
    derived=(
        column("each", "float", ratio=("a", "e")),
        column("seen", fold="records"),
    ),
)


@given(st.lists(st.tuples(st.sampled_from("wxyz"), *[st.integers(-1000, 1000)] * 5), max_size=30))
def test_what_is_merged_folds_again_to_the_total(found: list[tuple[Any, ...]]) -> None:
    host = folded(FOLDABLE, rows(*found)).finish("web1", 10.0)
    again = refold.fold(FOLDABLE, [(row.values, row.rates, row.rows) for row in host.rows])
    assert refold.foldable(FOLDABLE)
    assert again.rows == host.total.rows == len(found)
    assert again.values == pytest.approx(host.total.values) or not found
    assert again.rates == pytest.approx(host.total.rates) or not found


def test_what_cannot_be_told_from_several_merged_values_is_unknown() -> None:
    table = Table("t", "P.", (PROCESS, column("p", fold="p95"), column("s", fold="last")))
    parts = [((5.0, "a"), (None, None), 3), ((7.0, "b"), (None, None), 2)]
    assert refold.fold(table, parts).values == (None, None)
    assert not refold.foldable(table)
    assert refold.fold(SIMPLE, []).values == (None,)


LAST = Table(
    "t", "As it was last.", (PROCESS, column("n", fold="last"), column("m", fold="sum")), interval=True
)


def test_what_is_shown_as_it_was_last_has_no_total_and_no_course() -> None:
    """The last row of several names is that of any of them."""
    found = rows(("nginx", 660, 1), ("my app", 4, 2))
    one = folded(LAST, found, interval_s=1).finish("a", 10.0, 10, 10)
    assert one.total.values == (None, 3)
    assert [cells for _, cells in one.intervals] == [(None, 1), (None, 2)]
    assert {row.key: row.values for row in one.rows} == {("nginx",): (660, 1), ("my app",): (4, 2)}
    merged = fleet(LAST, {"a": found, "b": rows(("nginx", 7, 5))})
    assert merged.total is not None
    assert merged.total.values == (None, 8)
    assert {key.key: key.values for key in merged.keys} == {("nginx",): (None, 6), ("my app",): (4, 2)}


def test_what_was_last_of_the_only_name_is_its_total() -> None:
    one = folded(LAST, rows(("nginx", 660, 1), ("nginx", 4, 2)), interval_s=1).finish("a", 10.0, 10, 10)
    assert one.total.values == (4, 3)
    assert [cells for _, cells in one.intervals] == [(660, 1), (4, 2)]
