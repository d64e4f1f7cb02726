# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest may say, rule by rule: each fault is one sentence with file, line and field."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import SOURCE, command_line, environment
from hypothesis import given
from hypothesis import strategies as st
from manifests import FULL, GOOD, make

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest as manifest_rules
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Check,
    Column,
    Compare,
    Limits,
    Parameter,
)


def test_a_folder_is_a_probe(tmp_path: Path) -> None:
    folder = make(tmp_path)
    probe = catalog.load_probe(folder)
    assert (probe.name, probe.output, probe.cost, probe.requires_debuginfo) == (
        "slow_open",
        "rows",
        "low",
        False,
    )
    assert probe.module_files == ("{module}", "vfat")
    assert probe.limits == Limits(output_mb=8, overload_percent=20)
    assert (probe.folder, probe.script) == (folder, folder / "slow_open.stp")
    assert probe.has_intervals
    assert list(probe.parameters) == ["threshold_ms", "module", "all"]
    assert probe.parameters["threshold_ms"] == Parameter(
        "threshold_ms", "int", 1000, "Shortest time.", min=1, max=3600000, unit="ms"
    )
    table = probe.tables["slow_files"]
    assert (table.sort, table.descending, table.interval) == ("seconds", True, True)
    assert [column.name for column in table.columns] == ["process", "path", "seconds", "size"]
    assert [column.name for column in table.keys] == ["process", "path"]
    assert table.columns[2] == Column(
        "seconds", "duration", "measure", "Time.", unit="us", merge="max", more_is="worse"
    )
    assert [column.shown_unit for column in table.columns] == ["", "", "s", "B"]
    assert table.index("size") == 3


def test_a_recorded_manifest_is_the_same_probe_without_files(tmp_path: Path) -> None:
    probe = catalog.load_probe(make(tmp_path))
    recorded = catalog.probe_from_manifest("slow_open", dict(probe.manifest))
    assert recorded.tables == probe.tables
    assert recorded.parameters == probe.parameters
    assert (recorded.folder, recorded.script) == (None, None)
    with pytest.raises(FleetdiagError, match=r"^probe slow_open: output: is missing; add it$"):
        catalog.probe_from_manifest("slow_open", {"description": "A.", "question": "A?", "cost": "low"})


COLUMNS = "tables.slow_files.columns"
PATH_ROLE = "role: key, description: File name."

# One fault each: what to replace in GOOD, by what; the line of the message, its field, words of it.
FAULTS: list[tuple[str, str, int, str, str]] = [
    ("cost: low", "costs: low", 4, "costs", "is not known here; did you mean cost?"),
    ("cost: low\n", "", 1, "cost", "is missing; add it"),
    ("cost: low", "cost: lo", 4, "cost", "'lo' is not possible; did you mean low?"),
    ("cost: low", "cost: 5", 4, "cost", "'5' is not possible; it can be low, medium, high"),
    ("cost: low", "cost: 2026-01-01", 4, "cost", "is not possible"),
    ("output: rows", "output: calltrace", 13, "tables", "output calltrace has none"),
    ("too long, and by whom?", "too long.", 2, "question", "is not a question; end it with a question mark"),
    ("Files that stayed", "TODO Files", 1, "description", "is not finished"),
    ("Also pipes.", "FIXME", 12, "parameters.all.description", "is not finished"),
    (
        "description: Files that stayed open longer than a threshold.\n",
        "description: |\n  two\n  lines\n",
        1,
        "description",
        "is not one line of text",
    ),
    ("Files that stayed open longer than a threshold.", "''", 1, "description", "is empty; fill it in"),
    ("debuginfo: false", "debuginfo: sometimes", 6, "requires.debuginfo", "is not true or false"),
    ("vfat]", "../vfat]", 7, "requires.module_files.1", "'../vfat' is not possible"),
    ("{module}", "{modul}", 7, "requires.module_files.0", "{modul} is not a parameter with when: compile"),
    ("output_mb: 8", "output_mb: 0", 8, "limits.output_mb", "0 is out of range; it must be at least 1"),
    ("overload_percent: 20", "overload_percent: 51", 8, "limits.overload_percent", "it must be at most 50"),
    ("default: 1000", "default: 0", 10, "parameters.threshold_ms.default", "0 is out of range; choose"),
    ("default: 1000", 'default: "1000"', 10, "parameters.threshold_ms.default", "is not of type int"),
    ("default: 1000", "default: 1000.0", 10, "parameters.threshold_ms.default", "is not of type int"),
    (
        "default: 1000, min: 1,",
        "default: 1, min: 9999999,",
        10,
        "parameters.threshold_ms.min",
        "is above max",
    ),
    ("max: 3600000", "maximum: 3600000", 10, "parameters.threshold_ms.maximum", "did you mean max?"),
    (
        "Shortest time.}",
        "Shortest time., pattern: x}",
        10,
        "parameters.threshold_ms.pattern",
        "type int has no pattern",
    ),
    ("threshold_ms:", "fd_ttl_ms:", 10, "parameters.fd_ttl_ms", "are fleetdiag's own"),
    ("threshold_ms:", "Threshold:", 10, "parameters.Threshold", "is not a possible name"),
    (
        "  all: {type: bool,",
        "  interval_s: {type: bool,",
        12,
        "parameters.interval_s",
        "is an int that is set at load",
    ),
    ("default: false", "default: 0", 12, "parameters.all.default", "is not of type bool"),
    ("default: ext4", "default: EXT4", 11, "parameters.module.default", "does not match ^[a-z0-9_]+$"),
    ("[a-z0-9_]+$", "[a-z0-9_+$", 11, "parameters.module.pattern", "is not a regular expression"),
    (
        "[a-z0-9_]+$",
        "([a-z0-9_]+)+$",
        11,
        "parameters.module.pattern",
        "has a repeat or an alternative within",
    ),
    (
        "sort: -seconds",
        "sort: -second",
        17,
        "tables.slow_files.sort",
        "there is no column second; it can be process,",
    ),
    ("interval: true", "interval: 5", 16, "tables.slow_files.interval", "is not true or false"),
    ("    sort:", "    ignore: x\n    sort:", 17, "tables.slow_files.ignore", "output rows ignores no lines"),
    ("      path: {", "      Path: {", 20, COLUMNS + ".Path", "is not a possible name"),
    ("type: path, ", "", 20, COLUMNS + ".path.type", "is missing"),
    (PATH_ROLE, "role: key, merge: sum, description: F.", 20, COLUMNS + ".path.merge", "a key has none"),
    (PATH_ROLE, "role: measure, description: F.", 20, COLUMNS + ".path.merge", "a measure needs it"),
    (
        PATH_ROLE,
        "role: measure, merge: sum, description: F.",
        20,
        COLUMNS + ".path.merge",
        "sum of a path is not possible; use count or last",
    ),
    (PATH_ROLE, "role: key", 20, COLUMNS + ".path.description", "is missing"),
    (
        PATH_ROLE,
        "role: key, header: X, description: F.",
        20,
        COLUMNS + ".path.header",
        "output rows has no header",
    ),
    ("unit: us, ", "", 21, COLUMNS + ".seconds.unit", "needs the unit the script prints; use s, ms, us, ns"),
    ("unit: KB", "unit: kB", 22, COLUMNS + ".size.unit", "use B, KB, MB, GB"),
    ("merge: sum, rate", "merge: max, rate", 22, COLUMNS + ".size.rate", "max does not grow with time"),
    ("cost: low\n", "cost: low\ntitle: x\n", 5, "title", "is nothing that a probe's folder says"),
    (
        "cost: low\n",
        "cost: low\nunmodified: true\n",
        5,
        "unmodified",
        "is nothing that a probe's folder says",
    ),
    (
        "type: bool, default: false",
        "type: words, default: '', when: compile",
        12,
        "parameters.all.type",
        "words is no",
    ),
    ("output: rows\n", "output: rows\noutput: text\n", 4, "YAML", "output is there twice"),
    ("cost: low", "cost: [low", 5, "YAML", ""),
    ("cost: low", "cost: &a low\nx: *a", 5, "YAML", "aliases are not allowed"),
    ("cost: low", "cost: !!python/object/apply:os.system [x]", 4, "YAML", "is not allowed"),
    ("cost: low", "cost: !!python/name:os.system x", 4, "YAML", "could not determine a constructor"),
    ("cost: low", "cost: 0x" + "f" * 9000, 4, "YAML", "a number that does not fit 64 bits"),
    ("cost: low", "on: low", 4, "YAML", "a key that is not text"),
    ("cost: low", "cost: 2026-99-99", 4, "YAML", "month must be in 1..12"),
]


@pytest.mark.parametrize(("old", "new", "line", "name", "said"), FAULTS)
def test_a_fault_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, name: str, said: str
) -> None:
    assert GOOD.count(old) == 1
    folder = make(tmp_path, manifest=GOOD.replace(old, new))
    with pytest.raises(FleetdiagError) as caught:
        catalog.load_probe(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder}/probe.yml:{line}: {name}: "), message
    assert said in message
    assert "; " in message
    assert "\n" not in message


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


@pytest.mark.parametrize(
    ("output", "views", "said"),
    [
        ("calltrace", [{"kind": "flame"}], ""),
        ("calltrace", [{"kind": "table"}], r"views\.0: only call traces have views here"),
        ("calltrace", [{"kind": "flame", "measure": "x"}], r"views\.0\.measure: a flame view has none"),
        ("calltrace", [], "views: is empty"),
        ("text", [{"kind": "flame"}], r"views\.0: only call traces have views here"),
    ],
)
def test_views_of_a_call_trace(output: str, views: list[dict[str, str]], said: str) -> None:
    manifest = {"description": "A.", "question": "A?", "output": output, "cost": "low", "views": views}
    if not said:
        assert [view.kind for view in catalog.probe_from_manifest("p", manifest).views] == ["flame"]
        return
    with pytest.raises(FleetdiagError, match=f"^probe p: {said}"):
        catalog.probe_from_manifest("p", manifest)


def test_only_fleetdiag_itself_says_auto(tmp_path: Path) -> None:
    text = "description: A.\nquestion: A?\noutput: auto\ncost: low\n"
    with pytest.raises(FleetdiagError, match=r"probe\.yml:3: output: auto is no form of output; say rows"):
        catalog.load_probe(make(tmp_path, manifest=text))
    assert catalog.probe_from_manifest("p", yaml.safe_load(text)).output == "auto"


@pytest.mark.parametrize(
    ("output", "tables", "said"),
    [
        ("rows", 0, "output rows needs a table"),
        ("table", 0, "output table needs a table"),
        ("table", 2, "output table has exactly one table"),
        ("calltrace", 1, "output calltrace has none"),
        ("text", 1, "output text has none"),
        ("rows", 2, ""),
        ("table", 1, ""),
        ("text", 0, ""),
    ],
)
def test_how_many_tables_a_form_has(output: str, tables: int, said: str) -> None:
    table = {"description": "Rows.", "columns": {"a": {"type": "int", "role": "key", "description": "It."}}}
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if tables:
        manifest["tables"] = {f"t{n}": table for n in range(tables)}
    if not said:
        assert len(catalog.probe_from_manifest("p", manifest).tables) == tables
        return
    with pytest.raises(FleetdiagError, match=f"^probe p: tables: {said}; "):
        catalog.probe_from_manifest("p", manifest)


@pytest.mark.parametrize(
    "content", [b"", b"- a\n", b"text", b"\xff\xfe\x00", b"a: \x00", b"[" * 100_000, b"#" * 300_000]
)
def test_a_file_that_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    folder = make(tmp_path)
    (folder / "probe.yml").write_bytes(content)
    with pytest.raises(FleetdiagError, match=r"/probe\.yml:1: .+; .+"):
        catalog.load_probe(folder)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(data: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where there is something in a manifest."""
    yield place
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*place, key))


PLACES = [place for place in places(yaml.safe_load(FULL)) if place]


@given(st.sampled_from(PLACES), PLAIN)
def test_any_data_is_a_probe_or_one_sentence(place: tuple[str | int, ...], change: Any) -> None:
    manifest = inner = yaml.safe_load(FULL)
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = change
    said = "probe p: "
    try:
        catalog.probe_from_manifest("p", manifest)
    except FleetdiagError as error:
        said = str(error)
    assert "\n" not in said
    assert said.startswith("probe p: ")
    faults: list[str] = []
    manifest_rules.check(manifest, Source("probe p", faults=faults))
    assert said in faults or (said, faults) == ("probe p: ", [])


def test_without_jsonschema_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    """The collection alone, as ansible-galaxy installs it."""
    (tmp_path / "jsonschema.py").write_text("raise ModuleNotFoundError(\"No module named 'jsonschema'\")\n")
    path = f"{tmp_path}{os.pathsep}{SOURCE}"
    done = subprocess.run(
        command_line("probes", "show", "slow_open"),
        env={**environment(tmp_path), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("fleetdiag: No module named 'jsonschema': ")
    assert "pip install jsonschema" in sentence
