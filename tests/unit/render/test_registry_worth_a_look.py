# SPDX-License-Identifier: GPL-3.0-or-later
"""What is only worth a look stands below the findings and is none of them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import reportdata

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    as_html,
    as_json,
    as_md,
    as_openmetrics,
    as_text,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from fleetdiag.run.report import exit_code

SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())


@pytest.fixture
def report(tmp_path: Path) -> model.Report:
    made = reports.build(reportdata.sweep(tmp_path).path)
    made.findings = []
    made.worth_a_look = [reportdata.finding("web1: it \x1b[31m<b>624; the others: 260", "critical", "web1")]
    return made


def test_it_is_shown_below_the_findings(report: model.Report) -> None:
    text, page, markdown = as_text.render(report), as_html.render(report), as_md.render(report)
    assert text.index("FINDINGS ") < text.index("WORTH A LOOK ") < text.index("COVERAGE ")
    assert "\n- web1: it \\x1b[31m<b>624; the others: 260\n" in text
    assert (
        markdown.index("### Findings")
        < markdown.index("### Worth a look\n\n- ")
        < markdown.index("### Coverage")
    )
    assert (
        '<h3>Worth a look</h3>\n<ul class="looks"><li>web1: it \\x1b[31m&lt;b&gt;624; the others: 260</li>'
        in page
    )


def test_programs_get_it_apart(report: model.Report) -> None:
    data = json.loads(as_json.render(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert data["findings"] == []
    assert [item["chance"] for item in data["worth_a_look"]] == [0.0001]


def test_it_counts_for_nothing(report: model.Report) -> None:
    with_it = exit_code(report, "warning")
    assert 'fleetdiag_findings{severity="critical"} 0' in as_openmetrics.render(report).splitlines()
    report.worth_a_look = []
    assert exit_code(report, "warning") == with_it
    for shown in (as_text.render(report), as_md.render(report), as_html.render(report)):
        assert "worth a look" not in shown.lower()
