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
    Column,
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
