# SPDX-License-Identifier: GPL-3.0-or-later
"""Run directories of one sweep, night after night, through the real report; shared by the tests of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import SHARDS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import read_json
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import write_json
from fleetdiag.cli import main

HOSTS = ["web1", "web2", "web3", "web4", "web5", "web6"]
FIRST = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
KERNEL = "6.12.90-amd64"
COMPARED: dict[str, Any] = {
    **rundirs.SLOW_OPEN,
    "tables": {
        "slow_files": {
            **rundirs.SLOW_OPEN["tables"]["slow_files"],
            "what": "files open longer than {threshold_ms} ms",
            "derived": {
                "files": {
                    "type": "int",
                    "merge": "records",
                    "more_is": "worse",
                    "description": "How many.",
                    "compare": {"min_difference": 3},
                }
            },
        }
    },
}
MANIFESTS = {**rundirs.MANIFESTS, "slow_open": COMPARED}


def run_id(number: int) -> str:
    """Return the id of the run of a night."""
    return (FIRST + timedelta(days=number)).strftime("%Y%m%d_%H%M%S_ab12")


def usual(number: int = 0) -> dict[str, int]:
    """Return so many slow files of each host, as every night."""
    return {host: 100 + 2 * ((3 * number + 2 * place) % 5) for place, host in enumerate(HOSTS)}


@dataclass
class Nights:
    """One sweep after the other in a directory of runs."""

    runs: Path
    name: str = "nightly"
    number: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    def sweep(
        self,
        files: Mapping[str, int] | None = None,
        *,
        unreachable: tuple[str, ...] = (),
        kernels: Mapping[str, str] | None = None,
        hosts: list[str] | None = None,
        write: bool = True,
        shards: int = 1,
        **more: Any,
    ) -> model.Report:
        """Sweep a night, report it as the end of a sweep does, and return the report.

        files: slow files of each host, as usual without. write: keep what later sweeps need. shards: so many run
        directories within that of the sweep. more: of sweep.json.
        """
        names = hosts or HOSTS
        path = self.runs / run_id(self.number)
        if shards == 1:
            self._make(self.runs, run_id(self.number), names, files or {}, unreachable, kernels or {}, more)
        else:
            for number in range(shards):
                shard = f"{run_id(self.number)[:-1]}{number}"
                dealt = names[number::shards]
                made = self._make(path / SHARDS, shard, dealt, files or {}, unreachable, kernels or {}, more)
            asked = read_json(made, "sweep.json") or {}
            write_json(path, "sweep.json", {**asked, "id": path.name, "hosts": names})
        report = self.reported(path)
        if write:
            history.keep(path, report.figures, report.news)  # all else takes long to write
        self.number += 1
        return report

    def reported(self, path: Path) -> model.Report:
        """Return the report of a run, made at a fixed time."""
        return reports.build(path, generated="2026-11-23T08:01:00+00:00")

    def _make(
        self,
        place: Path,
        sweep_id: str,
        names: list[str],
        files: Mapping[str, int],
        unreachable: tuple[str, ...],
        kernels: Mapping[str, str],
        more: Mapping[str, Any],
    ) -> Path:
        """Make one run directory and return its path."""
        found = {**usual(self.number), **files}
        made = Builder(place, names, sweep_id=sweep_id, manifests=MANIFESTS, name=self.name)
        if self.memory or more:
            data = read_json(made.path, "sweep.json") or {}
            write_json(made.path, "sweep.json", {**data, "memory": self.memory, **more})
        made.window()
        for kernel in {KERNEL, *kernels.values()}:
            made.build(kernel)
        for host in names:
            if host in unreachable:
                continue
            rows = [
                record("slow_files", 9, "httpd", f"/srv/{n}", 2_000_000 + n, 1)
                for n in range(found.get(host, 100))
            ]
            made.preflight(host, kernel=kernels.get(host, KERNEL))
            made.arm(host)
            made.go(host)
            made.collect(host, {"slow_open": made.out(*rows)})
        return made.path

    def usual(self, many: int) -> None:
        """Sweep some nights of which nothing is to be told."""
        for _ in range(many):
            self.sweep()


def told(report: model.Report) -> list[tuple[str, str]]:
    """Return what is told at once, as (transition, host or set)."""
    return [(item["transition"], item["who"]) for item in report.news["transitions"] if item["tell"]]


def command_on(runs: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command with these words on `runs`: its exit code, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main.main([*words, "--runs-dir", str(runs)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
