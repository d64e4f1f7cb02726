# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as `ansible-playbook` runs them, without the command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from commands import SOURCE, environment


def test_variables_of_the_inventory_are_not_taken_for_the_sweeps(home: Path) -> None:
    """A maintenance window, say."""
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, "window": "Sun 02:00-04:00", "parameters": "many"}
    (home / "hosts.yml").write_text(
        json.dumps({"all": {"hosts": {"web1": {**host, "probes": "of the NHS"}}}})
    )
    given = {"probes": ["slow_open"], "sweep_runs_dir": str(home / "runs")}
    done = subprocess.run(
        ["ansible-playbook", "fleetdiag.systemtap.sweep", "-i", "hosts.yml", "-e", json.dumps(given)],
        cwd=home,
        env={
            **environment(home),
            "ANSIBLE_COLLECTIONS_PATH": str(SOURCE.parent / ".collections"),
            "PYTHONPATH": "",
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    (run,) = (home / "runs").glob("*/sweep.json")
    swept = json.loads(run.read_text())
    assert [probe["name"] for probe in swept["probes"]] == ["slow_open"], done.stdout
    assert swept["window_s"] == 30
    assert "127.0.0.1 port 1: Connection refused" in done.stdout
