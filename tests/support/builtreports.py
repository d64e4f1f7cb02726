# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of small sweeps for the tests of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_json
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

WHEN = "2026-11-23T08:01:00+00:00"
SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())


def built(path: Path | list[Path], **more: Any) -> model.Report:
    """The report, whose JSON is checked against the schema."""
    report = reports.build(path, generated=WHEN, **more)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(as_json.render(report)))
    return report


def row(report: model.Report, host: str) -> Any:
    (found,) = (item for item in report.coverage if item.host == host)
    return found


def sweep(runs: Path, *, upto: str = "collect", **more: Any) -> Builder:
    """Two hosts, taken as far as `upto`."""
    made = Builder(runs, ["web1", "web2"], **more)
    phases = ["created", "preflight", "build", "arm", "window", "go", "collect"]
    for phase in phases[1 : phases.index(upto) + 1]:
        if phase == "window":
            made.window()
        elif phase == "build":
            made.build()
        elif phase == "collect":
            slow = record("slow_files", 9000, "httpd", "/var/www/html/lectura_lenta.html", 8471285, 1)
            fast = record("slow_files", 9000, "httpd", "/var/www/html/index.html", 1100000, 2)
            made.collect("web1", {"slow_open": made.out(fast)})
            made.collect("web2", {"slow_open": made.out(slow, fast)})
        else:
            for host in ("web1", "web2"):
                getattr(made, phase)(host)
    return made
