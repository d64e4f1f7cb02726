# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest says for people who compare hosts, fault by fault."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from manifests import FULL, make

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Check,
    Column,
    Compare,
)


def test_all_that_a_manifest_may_say_for_people_who_compare(tmp_path: Path) -> None:
    probe = catalog.load_probe(make(tmp_path, manifest=FULL))
    table = probe.tables["requests"]
    assert [column.name for column in table.measures][-2:] == ["records", "latency"]
    assert table.measures[-1] == Column(
        "latency",
        "duration",
        "measure",
        "One.",
        more_is="worse",
        label="time each",
        ratio=("time", "requests"),
    )
    assert table.columns[3].compare == Compare(scope="key")
    assert table.measures[-2].compare == Compare(min_difference=3)
    assert table.checks == (Check("longest", "warning", above=0.5, scope="key"),)
    assert [view.kind for view in table.views] == ["table", "series", "histogram", "heatmap"]
    assert (probe.topic, probe.overhead["percent"]) == ("io", 1.5)


REQUESTS = "tables.requests"


RICH_FAULTS: list[tuple[str, str, int, str, str]] = [
    ("topic: io", "topic: disks", 5, "topic", "'disks' is not possible; it can be io, filesystem"),
    ("percent: 1.5", "percent: [1]", 6, "overhead.percent", "is not text or a number or true or false"),
    ("percent: 1.5", "percent: .nan", 6, "overhead.percent", "is no finite number"),
    ("percent: 1.5", "Percent: 1.5", 6, "overhead.Percent", "is not a possible name"),
    ("  slow_ms:", "  foreach:", 8, "parameters.foreach", "is a word of SystemTap's language"),
    (
        "default: 100",
        "default: 100, max: 9223372036854775808",
        8,
        "parameters.slow_ms.max",
        "is out of range",
    ),
    ("{slow_ms} ms", "{slow} ms", 13, "what", "there is no parameter slow; it can be slow_ms, interval_s"),
    ("{slow_ms} ms", "{slow_ms ms", 13, "what", "has a brace without its other half"),
    ("{interval_s} s", "{interval_s} s.", 13, "what", "is no sentence, it follows a number in one"),
    ("what: requests", "what: TODO", 13, "what", "is not finished"),
    ("sort: -latency", "sort: -lateness", 14, "sort", "there is no column lateness; it can be disk,"),
    ("      disk:", "      host:", 16, "columns.host", "is the report's own first column"),
    (
        "role: key, description: The disk.",
        "role: key, unit: B, description: D.",
        16,
        "columns.disk.unit",
        "a string has",
    ),
    (
        "key, unit: us, desc",
        "key, unit: u-s, desc",
        17,
        "columns.bucket_us.unit",
        "'u-s' is not possible; use letters",
    ),
    (
        "merge: p99, more",
        "merge: p99, rate: true, more",
        21,
        "columns.longest.rate",
        "p99 does not grow with time",
    ),
    ("merge: p99", "merge: p90", 21, "columns.longest.merge", "'p90' is not possible; did you mean p99"),
    ("{scope: key}}", "{scope: disk}}", 19, "columns.time.compare.scope", "it can be host, key"),
    ("{scope: key}}", "{min_ratio: 0.5}}", 19, "columns.time.compare.min_ratio", "it must be at least 1"),
    (
        "{scope: key}}",
        "{min_ratio: 1}}",
        19,
        "columns.time.compare.min_ratio",
        "every difference is worth a word",
    ),
    (
        "{scope: key}}",
        "{min_difference: .inf}}",
        19,
        "columns.time.compare.min_difference",
        "is no finite number",
    ),
    (
        "merge: last,",
        "merge: last, more_is: worse,",
        22,
        "columns.scheduler.more_is",
        "the last of a string is not",
    ),
    (
        "merge: last,",
        "merge: last, compare: {},",
        22,
        "columns.scheduler.compare",
        "the last of a string is not",
    ),
    ("      records:", "      time:", 24, "derived.time", "is a column too"),
    ("      records:", "      host:", 24, "derived.host", "is the report's own first column"),
    (
        "type: int, merge: records",
        "type: float, merge: records",
        24,
        "derived.records.type",
        "of records is an int",
    ),
    ("int, merge: records,", "int,", 24, "derived.records", "says not what it is; say ratio"),
    (
        "ratio: [time, requests]",
        "ratio: [time, requests], merge: records",
        25,
        "derived.latency",
        "is both a ratio",
    ),
    ("[time, requests]", "[time]", 25, "derived.latency.ratio", "has 1 of 2 entries; add the others"),
    ("[time, requests]", "[time, time, time]", 25, "derived.latency.ratio", "at most 2 are allowed"),
    ("[time, requests]", "[time, time]", 25, "derived.latency.ratio.1", "time divided by itself is 1"),
    (
        "[time, requests]",
        "[longest, requests]",
        25,
        "derived.latency.ratio.0",
        "with merge sum or count; it can be requests,",
    ),
    ("[time, requests]", "[time, disk]", 25, "derived.latency.ratio.1", "there is no printed measure disk"),
    (
        "[time, requests]",
        "[moved, requests]",
        25,
        "derived.latency.type",
        "(int) is no duration; write bytes",
    ),
    (
        "[time, requests]",
        "[moved, time]",
        25,
        "derived.latency.type",
        "(duration) is no duration; write float",
    ),
    ("more_is: worse, label", "unit: us, label", 25, "derived.latency.unit", "what is not printed is in s"),
    ("more_is: worse, label", "rate: true, label", 25, "derived.latency.rate", "a ratio does not grow"),
    ("label: time each", "label: ' time'", 25, "derived.latency.label", "is not one line of text"),
    (
        "measure: longest",
        "measure: shortest",
        26,
        "checks.0.measure",
        "no measure shortest; it can be requests,",
    ),
    ("measure: longest", "measure: Longest", 26, "checks.0.measure", "'Longest' is not possible; use a-z"),
    ("measure: longest", "measure: scheduler", 26, "checks.0.measure", "scheduler is not a number"),
    ("above: 0.5", "above: high", 26, "checks.0.above", "is not a number"),
    ("above: 0.5", "above: -.inf", 26, "checks.0.above", "-inf is no finite number"),
    ("above: 0.5, ", "", 26, "checks.0", "has not exactly one threshold"),
    ("above: 0.5", "above: 0.5, below: 1", 26, "checks.0", "has not exactly one threshold"),
    ("severity: warning", "severity: bad", 26, "checks.0.severity", "it can be critical, warning, info"),
    ("{kind: table}", "{kind: flame}", 28, "views.0.kind", "a table has no call trees"),
    ("{kind: table}", "{kind: tables}", 28, "views.0.kind", "did you mean table?"),
    (
        "{kind: table}",
        "{kind: table, measure: time}",
        28,
        "views.0.measure",
        "a table view shows all measures",
    ),
    ("{kind: table}", "{kind: table, bucket: disk}", 28, "views.0.bucket", "a table view has no buckets"),
    (
        "{kind: series, measure: requests}",
        "{kind: series}",
        29,
        "views.1.measure",
        "there is no measure; it can",
    ),
    (
        "series, measure: requests",
        "series, measure: scheduler",
        29,
        "views.1.measure",
        "scheduler is not a number",
    ),
    (
        "bucket: bucket_us, measure: requests",
        "measure: requests",
        30,
        "views.2.bucket",
        "needs the key column",
    ),
    ("bucket_us, measure: requests", "disk, measure: requests", 30, "views.2.bucket", "needs the key column"),
    (
        "bucket_us, measure: requests",
        "bucket_us, measure: longest",
        30,
        "views.2.measure",
        "longest is a p99",
    ),
    (
        "bucket_us, measure: records",
        "bucket_us, measure: latency",
        31,
        "views.3.measure",
        "latency is a ratio",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "name", "said"), RICH_FAULTS)
def test_a_fault_in_what_is_said_for_people_who_compare(
    tmp_path: Path, old: str, new: str, line: int, name: str, said: str
) -> None:
    assert FULL.count(old) == 1
    folder = make(tmp_path, manifest=FULL.replace(old, new))
    with pytest.raises(FleetdiagError) as caught:
        catalog.load_probe(folder)
    message = str(caught.value)
    field = name if name.split(".")[0] in ("topic", "overhead", "parameters") else f"{REQUESTS}.{name}"
    assert message.startswith(f"{folder}/probe.yml:{line}: {field}: "), message
    assert said in message
    assert "; " in message
    assert "\n" not in message


def test_a_table_without_keys_or_intervals_has_neither_scopes_nor_series() -> None:
    manifest = yaml.safe_load(FULL)
    table = manifest["tables"]["requests"]
    del table["columns"]["disk"], table["columns"]["bucket_us"]
    table["views"] = [{"kind": "series", "measure": "requests"}]
    with pytest.raises(
        FleetdiagError, match=r"columns\.time\.compare\.scope: the table has no key; say scope: host"
    ):
        catalog.probe_from_manifest("p", manifest)
    table["columns"]["time"]["compare"] = {}
    with pytest.raises(FleetdiagError, match=r"checks\.0\.scope: the table has no key; say scope: host"):
        catalog.probe_from_manifest("p", manifest)
    del table["checks"], table["interval"]
    table["what"] = "requests"
    with pytest.raises(
        FleetdiagError, match=r"views\.0\.kind: the table has no intervals; add interval: true"
    ):
        catalog.probe_from_manifest("p", manifest)
