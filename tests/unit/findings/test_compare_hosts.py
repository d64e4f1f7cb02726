# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from fleets import FILES, Values, evidence, found, measure, simple, sums

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file, find

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]


def slow(many: int, longest: float = 2.0) -> list[Values]:
    rows: list[Values] = [
        ("httpd", 100 + number, f"/var/www/html/{number}.html", 1.5) for number in range(many - 1)
    ]
    return [*rows, ("httpd", 7, "/var/www/html/lectura_lenta.html", longest)] if many else []


def test_the_sentence_of_the_host_that_is_different() -> None:
    rows = {host: slow(14, 8.47) if host == "web3" else [] for host in HOSTS}
    result = found(FILES, rows, dict.fromkeys(HOSTS, "web"), parameters={"threshold_ms": 1000})
    (finding,) = result.findings
    assert finding.sentence == (
        "web3: 14 files open longer than 1 s; the other 5 hosts: 0."
        " Longest 8.47 s: /var/www/html/lectura_lenta.html (httpd)"
    )
    assert (finding.severity, finding.kind, finding.host, finding.measure) == (
        "critical",
        "compare",
        "web3",
        "files",
    )
    assert (finding.value, finding.expected, finding.peers, finding.peer_set) == (14, 0, 5, "web")
    assert (finding.ratio, finding.spread) == (None, 0)
    assert finding.score is not None
    assert finding.score > 5
    assert finding.chance is not None
    assert finding.chance < 0.01
    assert len(finding.rows) == 5
    assert finding.rows[0][0] == "web3"
    assert result.headline == "web3 is different: 14 files open longer than 1 s, the other 5 hosts: 0"


def test_what_was_compared_is_there_found_or_not() -> None:
    rows = {host: slow(14) if host == "web3" else [] for host in HOSTS}
    (comparison,) = found(FILES, rows, dict.fromkeys(HOSTS, "web")).comparisons
    assert (comparison.probe, comparison.table, comparison.measure) == ("probe", "files", "files")
    assert comparison.values == {host: 14 if host == "web3" else 0 for host in HOSTS}
    assert comparison.scores["web1"] == 0
    assert comparison.scores["web3"] > 5
    assert (comparison.found, comparison.median, comparison.peer_set) == (("web3",), 0, "web")


def test_hosts_that_are_alike() -> None:
    result = found(simple(measure()), sums(**{host: [100 + number] for number, host in enumerate(HOSTS)}))
    assert result.findings == []
    assert result.headline == "no host is different"
    assert result.comparisons[0].found == ()


def test_one_host_has_none_to_be_like() -> None:
    result = found(simple(measure()), sums(web1=[5]))
    assert (result.findings, result.comparisons, result.headline) == ([], [], "too few hosts to compare")


def test_nothing_is_said_where_nothing_may_be_compared() -> None:
    column = measure()
    del column["compare"]
    assert found(simple(column), sums(web1=[5], web2=[5000], web3=[5])).headline == ""


@pytest.mark.parametrize(
    ("more_is", "figure", "severity"),
    [
        ("worse", 600, "warning"),
        ("worse", 100_000, "critical"),
        ("worse", 2, "info"),
        ("better", 2, "critical"),
        ("better", 600, "info"),
        ("neutral", 100_000, "info"),
    ],
)
def test_the_side_decides_how_bad_it_is(more_is: str, figure: int, severity: str) -> None:
    many = {host: [10] * 10 for host in HOSTS} | {"web3": [figure / 10] * 10}
    (finding,) = found(simple(measure("sum", "float", more_is)), sums(**many)).findings
    assert (finding.host, finding.severity) == ("web3", severity)


def test_two_hosts_are_never_critical() -> None:
    (finding,) = found(simple(measure()), sums(web1=[1] * 10, web2=[1000] * 10)).findings
    assert (finding.host, finding.severity, finding.peers) == ("web2", "warning", 1)
    assert finding.sentence.startswith("web2: it 10,000; web1: 10.")


def test_of_two_hosts_the_worse_one_is_named() -> None:
    column = measure("sum", "int", "better")
    (finding,) = found(simple(column), sums(web1=[1] * 10, web2=[1000] * 10)).findings
    assert finding.host == "web1"


def test_two_hosts_that_differ_by_little() -> None:
    assert found(simple(measure()), sums(web1=[10] * 10, web2=[22] * 10)).findings == []


@pytest.mark.parametrize(("least", "many"), [(50, 1), (600, 0)])
def test_a_difference_below_the_least_is_not_worth_a_word(least: float, many: int) -> None:
    column = measure(compare={"scope": "host", "min_difference": least})
    figures = {host: [10] * 10 for host in HOSTS} | {"web3": [60] * 10}
    assert len(found(simple(column), sums(**figures)).findings) == many


@pytest.mark.parametrize(("ratio", "many"), [(5, 1), (7, 0)])
def test_nor_is_a_factor_below_the_least(ratio: float, many: int) -> None:
    column = measure(compare={"scope": "host", "min_ratio": ratio})
    figures = {host: [10] * 10 for host in HOSTS} | {"web3": [60] * 10}
    assert len(found(simple(column), sums(**figures)).findings) == many


@pytest.mark.parametrize(("least", "hosts"), [(5, 6), (11, 0)])
def test_figures_of_too_few_records_are_not_compared(least: int, hosts: int) -> None:
    column = measure("mean", "float", compare={"scope": "host", "min_samples": least})
    result = found(simple(column), sums(**{host: [10] * 10 for host in HOSTS}))
    assert sum(len(comparison.values) for comparison in result.comparisons) == hosts


def test_a_host_without_rows_has_zero_of_what_adds_up_and_no_longest() -> None:
    rows = {host: slow(2, 5.0) if host in ("web1", "web2") else [] for host in HOSTS}
    values = {item.measure: item.values for item in found(FILES, rows).comparisons}
    assert values["files"] == {**dict.fromkeys(HOSTS, 0), "web1": 2, "web2": 2}
    assert values["seconds"] == {"web1": 5, "web2": 5}


def test_one_huge_record_does_not_make_a_host_different_where_records_are_of_all_sizes() -> None:
    rng = random.Random(1)  # noqa: S311
    figures = {host: [rng.paretovariate(1.5) for _ in range(100)] for host in HOSTS}
    figures["web3"][0] = 1.5 * sum(figures["web1"])
    assert found(simple(measure("sum", "float")), sums(**figures)).findings == []
    figures["web3"] = [5 * value for value in figures["web1"]]
    assert [item.host for item in found(simple(measure("sum", "float")), sums(**figures)).findings] == [
        "web3"
    ]


def test_one_huge_record_does_where_no_other_host_has_the_like() -> None:
    figures = {host: [10.0 + number] * 50 for number, host in enumerate(HOSTS)}
    figures["web3"][0] = 100_000.0
    (finding,) = found(simple(measure("sum", "float")), sums(**figures)).findings
    assert finding.sentence.endswith("Most of it 100,000: n0")


def test_hosts_that_sampled_shorter_are_compared_by_rate() -> None:
    figures = {host: [10.0] * 30 for host in HOSTS} | {"web3": [10.0] * 10}
    times = dict.fromkeys(HOSTS, 30.0) | {"web3": 10.0}
    assert found(simple(measure("sum", "float")), sums(**figures), seconds=times).findings == []
    figures["web3"] = [10.0] * 60
    (finding,) = found(simple(measure("sum", "float")), sums(**figures), seconds=times).findings
    assert (finding.value, finding.expected) == (600, 100)
    assert finding.sentence.startswith("web3: it 600 in 10 s; the other 5 hosts: 100 in the same time.")


def test_counts_of_hosts_that_sampled_shorter() -> None:
    rows = {host: slow(30) for host in HOSTS} | {"web3": slow(10)}
    times = dict.fromkeys(HOSTS, 30.0) | {"web3": 10.0}
    assert found(FILES, rows, seconds=times).findings == []
    assert [item.host for item in found(FILES, rows | {"web3": slow(60)}, seconds=times).findings] == ["web3"]


def test_unknown_times_are_taken_for_the_usual() -> None:
    figures = {host: [10.0] * 30 for host in HOSTS}
    times: dict[str, float | None] = {**dict.fromkeys(HOSTS, 30.0), "web3": None, "web1": 15.0}
    figures["web1"] = [10.0] * 15
    assert found(simple(measure("sum", "float")), sums(**figures), seconds=times).findings == []


def test_what_is_low_because_data_was_lost_is_no_finding() -> None:
    figures = {host: [10] * 100 for host in HOSTS} | {"web3": [10]}
    column = measure("sum", "int", "better")
    assert len(found(simple(column), sums(**figures)).findings) == 1
    assert found(simple(column), sums(**figures), marks={"web3": "90 records lost"}).findings == []


def test_what_is_high_although_data_was_lost_keeps_its_mark() -> None:
    figures = {host: [10] * 100 for host in HOSTS} | {"web3": [100] * 100}
    (finding,) = found(simple(measure()), sums(**figures), marks={"web3": "90 records lost"}).findings
    assert finding.mark == "90 records lost"


def test_only_hosts_of_one_set_are_compared() -> None:
    peers = {"web1": "web", "web2": "web", "web3": "web", "db1": "db", "db2": "db", "db3": "db"}
    many = {host: [1000 if host.startswith("db") else 10] * 10 for host in peers}
    assert found(simple(measure()), sums(**many), peers).findings == []
    many["web2"] = [1000] * 10
    (finding,) = found(simple(measure()), sums(**many), peers).findings
    assert (finding.host, finding.peer_set, finding.peers) == ("web2", "web", 2)
    assert "the other 2 hosts of web: 100" in finding.sentence


def test_a_host_that_is_alone_in_its_set_is_not_compared() -> None:
    result = found(simple(measure()), sums(web1=[5] * 9, db1=[5000] * 9), {"web1": "web", "db1": "db"})
    assert (result.comparisons, result.headline) == ([], "too few hosts to compare")


def test_percentages_and_means_are_judged_without_their_largest_record() -> None:
    manifest = simple(measure("mean", "float"))
    alike = {host: [(f"n{number}", 10.0 + number % 3) for number in range(60)] for host in HOSTS}
    spoilt: dict[str, list[Values]] = {**alike, "web3": [("n0", 10_000.0), *alike["web3"][1:]]}
    assert found(manifest, spoilt).findings == []
    different: dict[str, list[Values]] = {**alike, "web3": [(name, 60.0) for name, _ in alike["web3"]]}
    assert [item.host for item in found(manifest, different).findings] == ["web3"]


# --- by key ---

BY_KEY = measure("sum", "int", compare={"scope": "key"})


def by_key(**hosts: dict[str, int]) -> dict[str, list[Values]]:
    return {
        host: [(name, value) for name, value in rows.items() for _ in range(10)]
        for host, rows in hosts.items()
    }


def test_a_key_is_compared_with_itself_on_the_other_hosts() -> None:
    rows = {host: {"vda": 1000, "vdb": 10} for host in HOSTS} | {"web3": {"vda": 1000, "vdb": 100}}
    result = found(simple(BY_KEY), by_key(**rows))
    (finding,) = result.findings
    assert (finding.host, finding.key) == ("web3", ("vdb",))
    assert finding.sentence == "web3: it 1,000 (vdb); the other 5 hosts: 100"
    assert finding.rows == (("web3", ("vdb",), (1000,)),)
    assert {item.key: item.found for item in result.comparisons} == {("vda",): (), ("vdb",): ("web3",)}


def test_a_key_that_one_host_lacks_is_zero_there() -> None:
    rows = {host: {"vda": 1000, "vdb": 500} for host in HOSTS} | {"web3": {"vda": 1000}}
    (finding,) = found(
        simple(measure("sum", "int", "better", compare={"scope": "key"})), by_key(**rows)
    ).findings
    assert (finding.host, finding.key, finding.value) == ("web3", ("vdb",), 0)


def test_unless_it_may_be_among_what_was_folded_away() -> None:
    rows = {host: {"vda": 1000, "vdb": 500} for host in HOSTS} | {"web3": {"vda": 1000, "x": 900}}
    manifest = simple(measure("sum", "int", "better", compare={"scope": "key"}))
    assert len(found(manifest, by_key(**rows)).findings) == 1
    assert found(manifest, by_key(**rows), max_rows=1).findings == []


def test_a_key_that_no_other_host_has_is_compared_with_what_they_have_for_themselves() -> None:
    rows = {host: {"httpd": 1000, f"own{number}": 10 + number} for number, host in enumerate(HOSTS)}
    assert found(simple(BY_KEY), by_key(**rows)).findings == []
    rows["web3"]["miner"] = 100_000
    (finding,) = found(simple(BY_KEY), by_key(**rows)).findings
    assert (finding.host, finding.key) == ("web3", ("miner",))
    assert finding.sentence == (
        "web3: it 1,000,000 (miner); what the other 5 hosts have of the kind: 130, at most 150"
    )


def test_nothing_of_the_kind_elsewhere() -> None:
    rows = {host: {"httpd": 1000} for host in HOSTS} | {"web3": {"httpd": 1000, "miner": 900}}
    (finding,) = found(simple(BY_KEY), by_key(**rows)).findings
    assert finding.sentence == "web3: it 9,000 (miner); nothing of the kind on the other 5 hosts"


def test_many_keys_of_one_cause_are_one_finding() -> None:
    rows = {host: {f"vd{n}": 100 for n in range(8)} for host in HOSTS} | {
        "web3": {f"vd{n}": 9000 for n in range(8)}
    }
    (finding,) = found(simple(BY_KEY), by_key(**rows)).findings
    assert finding.sentence.endswith("The same with vd1, vd2, vd3 and 4 more")
    assert len(finding.rows) == 5


def test_the_order_of_hosts_does_not_matter() -> None:
    rows = {host: {"vda": 1000 + number, "vdb": 10} for number, host in enumerate(HOSTS)}
    rows["web3"]["vdb"] = 900
    whole = found(simple(BY_KEY), by_key(**rows))
    one = evidence(simple(BY_KEY), by_key(**rows))
    turned = {host: one.sampled_s[host] for host in reversed(HOSTS)}
    again = find.find([type(one)(one.name, {}, one.tables, turned)], {})
    assert again == whole


@pytest.mark.parametrize("value", [0, 2**62, -5, True])
def test_no_figure_makes_it_fail(value: Any) -> None:
    rows = {host: {"vda": 10} for host in HOSTS} | {"web3": {"vda": value}}
    found(simple(BY_KEY), by_key(**rows))
    found(simple(measure()), by_key(**rows))


def test_figures_that_miss_calls_are_compared_within_one_kernel_only() -> None:
    """What the compiler put inline in one kernel and not in the other is no difference between hosts."""
    rows = {host: slow(14) if host in HOSTS[:3] else [] for host in HOSTS}
    together = evidence(FILES, rows)
    kernels = {host: "6.12" if host in HOSTS[:3] else "7.2" for host in HOSTS}
    apart = replace(together, apart=kernels)
    peers = dict.fromkeys(HOSTS, "web")
    assert {c.peer_set for c in find.find([together], peers, {}).comparisons} == {"web"}
    split = find.find([apart], peers, {})
    assert {(c.peer_set, tuple(sorted(c.values))) for c in split.comparisons} == {
        ("web, kernel 6.12", tuple(HOSTS[:3])),
        ("web, kernel 7.2", tuple(HOSTS[3:])),
    }
    assert split.findings == []
    one_kernel = replace(together, apart=dict.fromkeys(HOSTS, "6.12"))
    assert {c.peer_set for c in find.find([one_kernel], peers, {}).comparisons} == {"web"}
    mixed = replace(together, apart={HOSTS[0]: "6.12"})  # the others were built with debuginfo
    assert all(HOSTS[0] not in c.values for c in find.find([mixed], peers, {}).comparisons)


def test_a_zero_that_may_come_of_missed_calls_is_compared_with_nothing() -> None:
    """The calls of that host may all have gone to copies that the compiler put inline: nothing is known of it."""
    counts = dict.fromkeys(HOSTS, 10_000) | {"web3": 0}
    rows = {host: [("vda", counts[host])] * 10 if counts[host] else [] for host in HOSTS}
    table = simple(measure("sum", "int", compare={"scope": "host"}))
    one = evidence(table, rows)
    peers = dict.fromkeys(HOSTS, "web")
    seen = find.find([one], peers, {})
    assert {finding.host for finding in seen.findings} == {"web3"}
    blind = replace(one, blind=frozenset(HOSTS))
    unseen = find.find([blind], peers, {})
    assert unseen.findings == unseen.worth_a_look == []
    assert [sorted(line.values) for line in unseen.comparisons] == [[h for h in HOSTS if h != "web3"]]
    (left,) = figures_file.figures_of([blind])["probes"]  # nor is it ever the past of another sweep
    assert left["tables"]["files"]["it"]["value"] == [None if host == "web3" else 100_000.0 for host in HOSTS]
    by_keys = evidence(simple(BY_KEY), rows)
    for sight, hosts in ((by_keys, HOSTS), (replace(by_keys, blind=frozenset(HOSTS)), HOSTS[:2] + HOSTS[3:])):
        compared = [line for line in find.find([sight], peers, {}).comparisons if line.key == ("vda",)]
        assert [sorted(line.values) for line in compared] == [hosts]
