# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import rundirs
import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.cost import (
    cost_of,
    sentence,
    written_into,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html, as_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

FIGURES = {
    "method": "iterations of a mixed workload, 3 pairs of 4 s; hits and cycles by stap -t",
    "machine": "emulated x86_64",
    "emulated": True,
    "kernel": "6.12.90-amd64",
    "throughput_percent": 97.2,
    "throughput_least": 96.9,
    "throughput_most": 98,
    "session_cpu_percent": 0.4,
    "hits_per_second": 5140,
    "cycles_per_hit": 22100,
    "handlers_percent": 4.6,
    "date": "2026-11-24",
}
SHIPPED = [
    probe for probe in catalog.find(catalog.names([catalog.shipped()]), [catalog.shipped()]) if probe.overhead
]


@pytest.mark.parametrize("probe", SHIPPED, ids=lambda probe: probe.name)
def test_the_cost_of_a_shipped_probe_is_the_measured_one(probe: Probe) -> None:
    assert cost_of(probe.overhead) == probe.cost
    assert {*FIGURES} <= {*probe.overhead}


@pytest.mark.parametrize(
    ("handlers", "session", "cost"),
    [(0, 0, "low"), (0.7, 0.2, "low"), (0.7, 0.3, "medium"), (9, 0.9, "medium"), (9, 1, "high")],
)
def test_cost_follows_from_the_share_of_a_processor(handlers: float, session: float, cost: str) -> None:
    assert cost_of({"handlers_percent": handlers, "session_cpu_percent": session}) == cost


@pytest.mark.parametrize(
    "overhead", [{}, {"handlers_percent": 5}, {"handlers_percent": "many", "session_cpu_percent": 1}]
)
def test_without_figures_no_cost_is_guessed(overhead: dict[str, object]) -> None:
    assert cost_of(overhead) is None


def test_without_figures_there_is_no_sentence() -> None:
    assert sentence({"hits_per_second": 5}) == ""


def test_the_figures_as_a_sentence() -> None:
    assert sentence(FIGURES) == (
        "97.2 % of the work was done (96.9 to 98), 5,140 hits a second of 22,100 cycles, its session used 0.4 % of a"
        " processor (emulated x86_64, 6.12.90-amd64, 2026-11-24)"
    )


MANIFEST = """\
# A comment.
description: It.   # another
question: Does it?
output: rows
cost: low          # for now

tables:
  t: {}
"""


def test_figures_are_written_beside_the_cost_and_nothing_else_changes() -> None:
    once = written_into(MANIFEST, FIGURES)
    assert yaml.safe_load(once)["overhead"] == FIGURES
    assert yaml.safe_load(once)["cost"] == "medium"
    kept = [
        line for line in once.splitlines() if not line.startswith(("overhead:", "  ")) or line == "  t: {}"
    ]
    assert kept == MANIFEST.replace("cost: low  ", "cost: medium  ").splitlines()
    again = written_into(once, {**FIGURES, "handlers_percent": 0.1})
    assert again == once.replace("4.6", "0.1").replace("cost: medium", "cost: low")


def test_the_report_says_what_was_measured_before_and_how_often_it_ran_now(tmp_path: Path) -> None:
    made = rundirs.Builder(
        tmp_path, ["web1"], manifests={"slow_open": {**rundirs.SLOW_OPEN, "overhead": FIGURES}}
    )
    made.window()
    made.whole("web1", {"slow_open": made.out(rundirs.record("@hits", 30_000, 123_456))})
    report = reports.build(made.path, generated="now")
    said = sentence(FIGURES)
    assert said in " ".join(as_text.render(report).split())
    assert "Hits: 123,456" in as_text.render(report)
    page = as_html.render(report)
    assert said in page
    assert "123,456" in page
