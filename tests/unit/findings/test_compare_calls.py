# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import CallNode, CallTree

HOSTS = ["web1", "web2", "web3", "web4", "web5"]


def tree(lookup_us: int, calls: int = 200, unfinished: int = 0) -> CallTree:
    """ls: readdir > (lookup > read, sort). Times of lookup are its own ones, of one call."""
    read, sort = 20, 50
    lookup = lookup_us + read
    return CallTree(
        "ls",
        (
            CallNode(("readdir",), 200, 200 * (lookup + sort + 30), 200 * 30),
            CallNode(
                ("readdir", "lookup"), calls + unfinished, calls * lookup, calls * lookup_us, unfinished
            ),
            CallNode(("readdir", "lookup", "read"), calls, calls * read, calls * read),
            CallNode(("readdir", "sort"), 200, 200 * sort, 200 * sort),
        ),
    )


def result(**trees: CallTree) -> find.Found:
    calls = [(host, [item]) for host, item in trees.items()]
    return find.find([Evidence("fs", {}, [], dict.fromkeys(trees, 30.0), calls=calls)], {})


def test_the_function_that_is_slower_and_not_those_that_call_it() -> None:
    found = result(**{host: tree(2000 if host == "web3" else 100) for host in HOSTS})
    (finding,) = found.findings
    assert finding.sentence == (
        "web3: a call of lookup takes 2 ms (200 calls of ls); the other 4 hosts: 100 µs. Called by readdir"
    )
    assert (finding.kind, finding.severity, finding.host) == ("calls", "critical", "web3")
    assert finding.key == ("ls", "readdir", "lookup")
    assert (finding.measure, finding.value, finding.expected) == ("self_time", 0.002, 0.0001)
    assert finding.rows == (("web3", ("ls", "readdir", "lookup"), (200, 0.404, 0.4)),)
    assert found.headline.startswith("web3 is different: a call of lookup takes 2 ms")
    (comparison,) = found.comparisons
    assert (comparison.found, comparison.key) == (("web3",), finding.key)


def test_alike() -> None:
    found = result(**{host: tree(100 + number) for number, host in enumerate(HOSTS)})
    assert (found.findings, found.headline) == ([], "no host is different")


def test_faster_is_no_finding() -> None:
    assert result(**{host: tree(100 if host == "web3" else 3000) for host in HOSTS}).findings == []


def test_too_few_calls_say_nothing() -> None:
    assert result(**{host: tree(5000 if host == "web3" else 100, calls=10) for host in HOSTS}).findings == []


def test_calls_without_a_return_count_neither_way() -> None:
    found = result(**{host: tree(100, unfinished=1000 if host == "web3" else 0) for host in HOSTS})
    assert found.findings == []


def test_what_costs_no_time_altogether_is_not_worth_a_word() -> None:
    assert result(**{host: tree(110 if host == "web3" else 1, calls=25) for host in HOSTS}).findings == []


def test_several_slower_functions_of_one_host_are_one_finding() -> None:
    def slow(factor: int) -> CallTree:
        item = tree(100 * factor)
        nodes = [*item.nodes, CallNode(("readdir", "fill"), 200, 20_000 * factor, 20_000 * factor)]
        return CallTree("ls", tuple(nodes))

    (finding,) = result(**{host: slow(30 if host == "web3" else 1) for host in HOSTS}).findings
    assert "Slower there, too: " in finding.sentence
    assert len(finding.rows) == 2


def test_long_chains_of_callers_are_cut() -> None:
    def deep(own_us: int) -> CallTree:
        path = tuple(f"f{number}" for number in range(9))
        return CallTree("ls", (CallNode(path, 100, 100 * own_us, 100 * own_us),))

    (finding,) = result(**{host: deep(9000 if host == "web3" else 10) for host in HOSTS}).findings
    assert finding.sentence.endswith("Called by f7 < f6 < f5 < f4 < …")
