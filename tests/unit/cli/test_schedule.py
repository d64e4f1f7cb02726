# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers as the command installs them: units that systemd itself verifies, in a home of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Command

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write

CONFIG = """[defaults]
inventory = ["hosts.yml"]
probes = ["slow_open"]
[sweeps.web]
every = "6h"
random_delay = "5min"
window = "5s"
[sweeps.calendar]
schedule = "Mon..Fri 01:30"
[sweeps.byhand]
"""


@pytest.fixture
def config(home: Path) -> Path:
    path = home / "fleetdiag.toml"
    path.write_text(CONFIG, encoding="utf-8")
    path.chmod(0o600)
    return path


def unit_dir(home: Path) -> Path:
    return home / ".config/systemd/user"


def test_a_timer_is_installed_once_listed_and_removed(fleetdiag: Command, home: Path, config: Path) -> None:
    check = fleetdiag("schedule", "install", "web", "--user", "--check")
    assert check.returncode == 0, check.stderr
    assert "+OnCalendar=*-*-* 00/6:00:00 UTC" in check.stdout
    assert "would be written; verified; next: " in check.stdout
    assert not unit_dir(home).exists()

    first = fleetdiag("schedule", "install", "web", "--user")
    assert "fleetdiag-web.{service,timer}: written; verified" in first.stdout, first.stderr
    names = {path.name for path in unit_dir(home).iterdir()}
    assert names == {"fleetdiag-web.service", "fleetdiag-web.timer", "fleetdiag-failed@web.service"}
    service = (unit_dir(home) / "fleetdiag-web.service").read_text()
    assert f'--config "{config}" schedule run web\n' in service
    assert "\nSuccessExitStatus=3 4 5\n" in service
    assert "\nType=exec\n" in service
    assert "User=" not in service  # a user's unit has none
    timer = (unit_dir(home) / "fleetdiag-web.timer").read_text()
    for line in (
        "RandomizedDelaySec=300",
        "FixedRandomDelay=true",
        "Persistent=false",
        "WantedBy=timers.target",
    ):
        assert f"\n{line}\n" in timer
    times = {path: path.stat().st_mtime_ns for path in unit_dir(home).iterdir()}

    again = fleetdiag("schedule", "install", "web", "--user")
    assert "as they are; verified" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in unit_dir(home).iterdir()} == times

    def unit() -> str:
        rows = {row["sweep"]: row for row in json.loads(fleetdiag("schedule", "list", "--json").stdout)}
        assert rows["calendar"]["unit"] == "not installed"
        assert "byhand" not in rows
        return str(rows["web"]["unit"])

    assert unit() == "user"
    config.write_text(CONFIG.replace("5s", "7s"), encoding="utf-8")
    assert unit() == "user"  # the window is read when the sweep starts
    config.write_text(CONFIG.replace("6h", "12h"), encoding="utf-8")
    assert unit() == "user, differs from the configuration: install again"

    config.write_text(CONFIG.replace("sweeps.web", "sweeps.other"), encoding="utf-8")
    listed = fleetdiag("schedule", "list").stdout
    assert "is no longer in the configuration: fleetdiag schedule remove web --user" in listed
    assert fleetdiag("schedule", "remove", "web", "--user").returncode == 0
    assert list(unit_dir(home).iterdir()) == []


def test_units_that_systemd_does_not_take_are_not_put_in_place(
    fleetdiag: Command, home: Path, config: Path
) -> None:
    words = ["ansible-playbook", "fleetdiag.systemtap.schedule", "-i", "localhost,", "-c", "local", "-e"]
    variables = {
        "schedule_name": "web",
        "schedule_scope": "user",
        "schedule_calendar": ["at noon"],
        "schedule_command": "/bin/true",
        "schedule_unit_dir": str(home / "units"),
        "schedule_start": False,
        "ansible_python_interpreter": sys.executable,
    }
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [*words, json.dumps(variables)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert "Failed to parse" in done.stdout
    assert not (home / "units").exists()


def test_a_late_slot_is_skipped_with_exit_code_5(fleetdiag: Command, home: Path, config: Path) -> None:
    config.write_text(CONFIG.replace('every = "6h"', 'schedule = "2026-01-01 00:00"'), encoding="utf-8")
    done = fleetdiag("schedule", "run", "web")
    assert done.returncode == 5, done.stderr
    assert "slot 2026-01-01T00:00:00Z is skipped: late by " in done.stderr
    rows = json.loads(fleetdiag("schedule", "list", "--json").stdout)
    assert next(row for row in rows if row["sweep"] == "web")["last"] == "2026-01-01T00:00:00Z"


def test_a_turn_sweeps_for_its_slot(fleetdiag: Command, home: Path, config: Path) -> None:
    config.write_text(
        CONFIG.replace('"6h"\nrandom_delay = "5min"', '"1min"\nmax_late = "1h"'), encoding="utf-8"
    )
    done = fleetdiag("schedule", "run", "web")
    assert done.returncode == 3, done.stderr  # its host never answers
    (run_dir,) = (home / "state/fleetdiag/runs").glob("2*")
    sweep = json.loads((run_dir / "sweep.json").read_text())
    assert (sweep["name"], sweep["trigger"]) == ("web", "timer")
    assert sweep["slot"].endswith(":00Z")
    assert sweep["memory"] == {"per_week": 10080}


def test_earlier_runs_are_removed_as_the_sweep_says(fleetdiag: Command, home: Path, config: Path) -> None:
    text = CONFIG.replace(
        '"6h"\nrandom_delay = "5min"', '"1min"\nmax_late = "1h"\nkeep = { last = 1, daily = 0, weekly = 0 }'
    )
    config.write_text(text, encoding="utf-8")
    runs = home / "state/fleetdiag/runs"
    for run_id, name in (("20260101_000000_aaaa", "web"), ("20260101_000001_aaaa", "other")):
        write.create(runs, {"id": run_id, "name": name, "hosts": []})
    done = fleetdiag("schedule", "run", "web")
    assert done.returncode == 3, done.stderr
    assert "20260101_000000_aaaa: removed" in done.stderr
    assert not (runs / "20260101_000000_aaaa").exists()
    assert (runs / "20260101_000001_aaaa").exists()  # of a sweep that says nothing
    assert len(list(runs.glob("2*"))) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "byhand", "--user"), "sweeps.byhand: has no schedule; add schedule ="),
        (("install", "webb", "--user"), "did you mean web?"),
        (("remove", "web", "--user"), "there is no timer of a sweep web; see: fleetdiag schedule list"),
        (("run", "byhand"), "by hand it runs with: fleetdiag sweep byhand"),
        (("cron", "calendar"), "cron has no words for its schedule"),
        (("install", "web", "--as", "nobody_at_all"), "nobody_at_all: there is no such user"),
    ],
)
def test_bad_input(fleetdiag: Command, config: Path, words: tuple[str, ...], said: str) -> None:
    done = fleetdiag("schedule", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_line_of_a_crontab(fleetdiag: Command, config: Path) -> None:
    zone, line = fleetdiag("schedule", "cron", "web").stdout.splitlines()
    assert zone == "CRON_TZ=UTC"
    assert line.startswith("0 */6 * * * ")
    assert line.endswith(f" --config {config} schedule run web")
