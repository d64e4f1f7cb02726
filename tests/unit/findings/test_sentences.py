# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import rundirs
from fleets import FILES, Values, found, measure, simple, sums, table

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import phrases

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]


@pytest.mark.parametrize(
    ("what", "parameters", "expected"),
    [
        ("files open longer than {threshold_ms} ms", {"threshold_ms": 1000}, "files open longer than 1 s"),
        ("files open longer than {threshold_ms} ms", {"threshold_ms": 250}, "files open longer than 250 ms"),
        ("files above {threshold_ms}", {"threshold_ms": 250}, "files above 250"),
        ("files above {threshold_ms} ms", {}, "files above {threshold_ms} ms"),
    ],
)
def test_the_phrase_of_a_table(what: str, parameters: dict[str, Any], expected: str) -> None:
    assert phrases.what(what, parameters) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("httpd", 7, "/srv/x"), "/srv/x (httpd)"),
        (("httpd", 7, ""), "httpd"),
        (("", 7, ""), "process , pid 7, path "),
        (("httpd", 7, "/" + "x" * 300), "…" + "x" * 99 + " (httpd)"),
    ],
)
def test_a_key_in_words(key: tuple[Any, ...], expected: str) -> None:
    assert phrases.key(table(FILES), key) == expected


def test_texts_of_hosts_cannot_act() -> None:
    for evil in rundirs.HOSTILE:
        rows: dict[str, list[Values]] = {host: [] for host in HOSTS}
        rows[evil] = [(evil, number, evil, 8.0) for number in range(20)]
        result = found(FILES, rows, dict.fromkeys(rows, evil))
        (finding,) = result.findings
        assert finding.host == evil
        for text in (finding.sentence, result.headline):
            assert text == printable(text)
            assert printable(evil)[:20] in text


def test_hosts_with_the_same_trouble_are_said_once() -> None:
    figures = {f"web{number:02}": [10.0] * 20 for number in range(50)}
    figures |= {f"web{number:02}": [900.0 * (1 + number)] * 20 for number in range(10, 17)}
    (finding,) = found(simple(measure("sum", "float")), sums(**figures)).findings
    assert finding.host == "web16"
    assert finding.sentence.endswith("The same on 6 more hosts: web15, web14, web13, web12, web11 and 1 more")


def test_other_measures_of_the_same_table_stand_in_the_same_finding() -> None:
    rows: dict[str, list[Values]] = {
        host: [("httpd", number, f"/srv/{number}", 1.5) for number in range(20)] for host in HOSTS
    }
    rows["web3"] = [("httpd", number, f"/srv/{number}", 900.0) for number in range(400)]
    (finding,) = found(FILES, rows).findings
    assert finding.sentence == (
        "web3: 400 files open longer than 1 s; the other 5 hosts: 20."
        " Longest 15 min: /srv/0 (httpd). Also open time 900 s against 1.5 s"
    ).replace("15 min", "900 s")


def test_the_worst_comes_first() -> None:
    def rows(factor: int) -> dict[str, list[Values]]:
        return sums(**{host: [10.0 * (factor if host == "web3" else 1)] * 20 for host in HOSTS})

    from fleets import evidence

    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import find

    items = []
    for name, more_is, factor in (
        ("a", "neutral", 1000),
        ("b", "worse", 5),
        ("c", "worse", 500),
        ("d", "worse", 7),
    ):
        item = evidence(simple(measure("sum", "float", more_is)), rows(factor))
        items.append(type(item)(name, item.parameters, item.tables, item.sampled_s))
    result = find.find(items, {})
    assert [(item.severity, item.probe) for item in result.findings] == [
        ("critical", "c"),
        ("warning", "d"),
        ("warning", "b"),
        ("info", "a"),
    ]
    assert result.headline.endswith("(and 3 more findings)")


def test_sizes_and_times_carry_their_units() -> None:
    figures = {host: [1024.0] * 20 for host in HOSTS} | {"web3": [1024.0 * 1024] * 20}
    (finding,) = found(
        simple(measure("sum", "bytes")),
        {h: [(n, int(v)) for n, v in rows] for h, rows in sums(**figures).items()},
    ).findings
    assert finding.sentence.startswith("web3: it 20 MiB; the other 5 hosts: 20 KiB")
    (finding,) = found(
        simple(measure("max", "duration")), sums(**{host: [0.001 if host != "web3" else 9] for host in HOSTS})
    ).findings
    assert finding.sentence.startswith("web3: it 9 s; the other 5 hosts: 1 ms")
