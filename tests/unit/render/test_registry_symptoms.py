# SPDX-License-Identifier: GPL-3.0-or-later
"""Symptoms of an incident stand under it in every format that people read, and are rows of the others."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import reportdata

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    as_csv,
    as_html,
    as_json,
    as_md,
    as_openmetrics,
    as_text,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())
SYMPTOM = "web1: \x1b[31m1 file <b>open longer"


@pytest.fixture
def report(tmp_path: Path) -> model.Report:
    made = reports.build(reportdata.sweep(tmp_path).path)
    under = reportdata.finding(SYMPTOM, "info", "web1")
    made.findings = [replace(reportdata.finding(), symptoms=(under,))]
    return made


def test_they_are_shown_under_it(report: model.Report) -> None:
    text, page = as_text.render(report), as_html.render(report)
    assert "    with it: web1: \\x1b[31m1 file <b>open longer" in text
    assert text.count("CRITICAL  ") == 1
    assert "\n  - with it: " in as_md.render(report)
    assert "<li>With it: web1: \\x1b[31m1 file &lt;b&gt;open longer</li>" in page
    assert "1 file <b>" not in page


def test_programs_get_them_too(report: model.Report) -> None:
    data = json.loads(as_json.render(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    (finding,) = data["findings"]
    assert [item["host"] for item in finding["symptoms"]] == ["web1"]
    rows = csv.DictReader(io.StringIO(dict(as_csv.render(report))["csv/findings.csv"]))
    assert [row["host"] for row in rows] == ["web3", "web1"]


def test_they_count_for_their_hosts(report: model.Report) -> None:
    lines = as_openmetrics.render(report).splitlines()
    assert 'fleetdiag_host_findings{host="web1",severity="info"} 1' in lines
    assert 'fleetdiag_findings{severity="info"} 0' in lines
