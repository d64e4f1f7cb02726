# SPDX-License-Identifier: GPL-3.0-or-later
"""Of counted stacks, a function that is on far more of one host's than of the others' is a finding."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence, HostStacks
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.stacks import ALL
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import CallNode, CallTree

HOSTS = ("web1", "web2", "web3")


def stacks(host: str, reads: int, writes: int, *, process: str = "httpd", left_out: int = 0) -> HostStacks:
    """entry > (read > wait, write): so many times each; `wait` is on every stack that `read` is on."""

    def node(count: int, *path: str) -> CallNode:
        return CallNode(path, count, count, 0)

    nodes = [
        node(reads + writes, "entry"),
        node(reads, "entry", "read"),
        node(reads, "entry", "read", "wait"),
    ]
    tree = CallTree(process, (*nodes, node(writes, "entry", "write")), counted=True)
    return HostStacks(host, [tree], reads + writes + left_out)


def result(*each: HostStacks) -> find.Found:
    return find.find([Evidence("mine", {}, [], {one.host: 30.0 for one in each}, stacks=each)], {})


def test_the_function_and_not_those_that_call_it() -> None:
    found = result(stacks("web1", 6, 194), stacks("web2", 6, 194), stacks("web3", 160, 40))
    (finding,) = found.findings
    assert finding.sentence == (
        "web3: 80 % of the 200 stacks are in read->wait (httpd); the other 2 hosts: 3 %. Called by entry"
    )
    assert (finding.kind, finding.severity, finding.host) == ("calls", "info", "web3")
    assert (finding.measure, finding.value, finding.expected, finding.unit) == ("share", 80, 3, "%")
    assert finding.key == ("httpd", "entry", "read", "wait")
    assert finding.rows == (("web3", ("httpd", "entry", "read", "wait"), (160, 200)),)
    assert found.headline == (
        "web3 is different: 80 % of the 200 stacks are in read->wait (httpd), the other 2 hosts: 3 %"
    )


def test_a_process_that_is_not_known_is_not_named() -> None:
    odd = stacks("web3", 160, 40, process=ALL)
    others = [stacks(host, 6, 194, process=ALL) for host in HOSTS[:2]]
    (finding,) = result(*others, odd).findings
    assert (
        finding.sentence
        == "web3: 80 % of the 200 stacks are in read->wait; the other 2 hosts: 3 %. Called by entry"
    )


@pytest.mark.parametrize(
    "odd",
    [
        stacks("web3", 20, 180),  # not much more
        stacks("web3", 12, 3),  # too few
        stacks("web3", 160, 40, left_out=5000),  # few of all that were counted
        stacks("web3", 6, 1994),  # more of everything
    ],
)
def test_alike(odd: HostStacks) -> None:
    found = result(stacks("web1", 6, 194), stacks("web2", 7, 180), odd)
    assert [finding.sentence for finding in found.findings] == []


def test_what_else_there_is_more_of_is_said_in_the_same_place() -> None:
    def two(host: str, reads: int, sorts: int, rest: int) -> HostStacks:
        named = {("read",): reads, ("sort",): sorts, ("rest",): rest}
        nodes = tuple(CallNode(path, count, count, count) for path, count in sorted(named.items()))
        return HostStacks(host, [CallTree("httpd", nodes, counted=True)], reads + sorts + rest)

    (finding,) = result(*(two(host, 8, 8, 384) for host in HOSTS[:2]), two("web3", 200, 160, 40)).findings
    assert finding.sentence == (
        "web3: 50 % of the 400 stacks are in read (httpd); the other 2 hosts: 2 %."
        " More there, too: sort (httpd)"
    )
