# SPDX-License-Identifier: GPL-3.0-or-later
"""What is registered in one place works everywhere: formats, units, forms of output, kinds of receivers."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reportdata
import rundirs
from rundirs import record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import render
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import shapes
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.reader import LayoutsForm
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import forms
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest as manifests
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Layout,
    Probe,
    Table,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from fleetdiag import config
from fleetdiag.cli.main import main
from fleetdiag.probes import inferred

JUNIT = """
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import several_files

FORMAT = several_files("junit", "a test case for each host", lambda report: [
    ("junit/coverage.xml", "".join(f"<testcase name='{row.host}'/>" for row in report.coverage)),
])
"""


@pytest.fixture
def junit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A format that is one new module beside the others, with a folder and a suffix that no other format has."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "as_junit.py").write_text(JUNIT, encoding="utf-8")
    monkeypatch.setattr(render, "__path__", [*render.__path__, str(folder)])
    registry.formats.cache_clear()
    yield
    registry.formats.cache_clear()


@pytest.mark.usefixtures("junit")
def test_a_format_is_one_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = reportdata.sweep(tmp_path / "runs").path
    assert main(["report", str(run_dir), "--format", "junit"]) == 0
    assert capsys.readouterr().out.strip() == f"{run_dir}/junit/coverage.xml"
    assert "name='web2'" in (run_dir / "junit/coverage.xml").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "a test case for each host *" in " ".join(capsys.readouterr().out.split())


def of_one_probe(tmp_path: Path, name: str, manifest: dict[str, Any], output: bytes) -> Path:
    """Return the run directory of a sweep of one host with this probe."""
    made = rundirs.Builder(tmp_path, ["web1"], [name], manifests={name: manifest})
    made.window()
    made.build()
    made.whole("web1", {name: output})
    return made.path


def empty(tmp_path: Path) -> rundirs.Builder:
    return rundirs.Builder(tmp_path / "empty", ["web1"], ["nettop"])


def test_a_unit_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quantities.BYTES_PER_UNIT, "pages", 4096)
    manifest = copy.deepcopy(rundirs.NETTOP)
    manifest["tables"]["traffic"]["columns"]["sent"]["unit"] = "pages"
    manifests.check(manifest, Source("probe.yml"))
    printed = empty(tmp_path).out(record("traffic", 5000, "sshd", "ens3", 1, 512))
    report = reports.build(of_one_probe(tmp_path, "nettop", manifest, printed))
    formats = registry.formats()
    texts = {name: formats[name].text for name in ("txt", "md", "html", "openmetrics")}
    made = {name: text(report) for name, text in texts.items() if text}
    assert all("2 MiB" in made[name] for name in ("txt", "md", "html"))
    assert any(
        "sent_bytes" in line and line.endswith(f" {512 * 4096}") for line in made["openmetrics"].splitlines()
    )
    unit = manifests.schema()["$defs"]["column"]["properties"]["unit"]
    assert "B, KB, MB, GB or pages of bytes" in unit["description"]


def test_the_page_reads_times_by_the_same_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(quantities.UNITS_PER_SECOND, "ps", 10**12)
    page = registry.formats()["html"].text
    assert page
    assert '"ps": 1000000000000}' in page(reports.build(reportdata.sweep(tmp_path).path))


def test_an_output_form_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(forms.FORMS, "logfmt", forms.Form("are pairs of words", lines=True))
    manifests._validator.cache_clear()
    try:
        manifest = {**rundirs.TEXT, "output": "logfmt"}
        manifests.check(manifest, Source("probe.yml"))
        printed = empty(tmp_path).out(payload="level=warn host=web1\n")
        report = reports.build(of_one_probe(tmp_path, "notes", manifest, printed))
    finally:
        manifests._validator.cache_clear()
    text = registry.formats()["txt"].text
    assert text
    assert "level=warn host=web1" in text(report)
    assert registry.formats()["lines"].write(report, tmp_path) == ["notes.lines.txt"]
    assert "`logfmt` are pairs of words" in manifests.schema()["properties"]["output"]["description"]


class Levels(Shape):
    """Lines that begin with a level."""

    def rows(self, line: bytes, t_ms: int | None) -> list[Row] | None:
        level, _unused, words = line.partition(b" ")
        return [self._row((words.decode(),), t_ms)] if level == b"warn" else None


def test_a_form_of_printed_output_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shapes.KINDS, "levels", shapes.Kind(Levels, "lines with a level"))
    layout = Layout("levels", Table("log", "A.", (Column("words", "string", "key", "A."),)))
    assert [row.values for row in LayoutsForm([layout]).line(b"warn a disk is full", None)] == [
        ("a disk is full",)
    ]
    probe = Probe("x", "A.", "A?", "auto", "low", unmodified=True, layouts=(layout,), title="x.stp")
    assert next(inferred.lines(probe)).startswith("read as: table log, lines with a level: words (key)")


def test_a_kind_of_receivers_is_a_module_and_an_entry_of_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = copy.deepcopy(config.schema())
    schema["$defs"]["receiver"]["properties"]["pager"] = {"type": "object"}
    monkeypatch.setattr(config, "schema", lambda: schema)
    config._validator.cache_clear()
    file = tmp_path / "config.toml"
    file.write_text("[receivers.ops]\npager = {number = 5}\n", encoding="utf-8")
    try:
        receiver = config.load(file).receivers["ops"]
        assert (receiver.kind, receiver.settings) == ("pager", {"number": 5})
        file.write_text("[receivers.ops]\nseverity = 'info'\n", encoding="utf-8")
        with pytest.raises(FleetdiagError, match="exactly one of command, mail, webhook, apprise, pager"):
            config.load(file)
    finally:
        config._validator.cache_clear()


def test_every_kind_of_receivers_has_its_module() -> None:
    for kind in config.kinds():
        assert callable(importlib.import_module(f"fleetdiag.notify.{kind}").send)


def test_reports_name_the_forms_that_manifests_may_name() -> None:
    """`auto` is settled before there is a report."""
    schema = json.loads(Path(reports.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
    probe = schema["$defs"]["probe"]["properties"]
    assert probe["output"]["enum"] == list(forms.declared())
