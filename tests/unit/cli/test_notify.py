# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of the command: heartbeat, receivers, page and metrics of a timer's turn, and of a unit that failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import Command
from nights import MANIFESTS
from receivers import Http, serving
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots

CONFIG = """
[sweeps.web]
inventory = ["hosts.yml"]
probes = ["slow_open"]
window = "5s"
every = "1min"
max_late = "1h"
notify = ["hook"]
[receivers.hook]
webhook = { url = "URL" }
[receivers.broken]
command = ["/nowhere/hook"]
[heartbeat]
url_file = "ping"
textfile = "fleetdiag.prom"
"""


@pytest.fixture
def http() -> Iterator[Http]:
    server = Http()
    with serving(server):
        yield server


@pytest.fixture
def config(home: Path, http: Http) -> Path:
    (home / "ping").write_text(http.url.replace("/hook", "/ping"))
    path = home / "fleetdiag.toml"
    path.write_text(CONFIG.replace("URL", http.url), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_turn_and_then_a_configuration_that_is_broken(
    fleetdiag: Command, home: Path, config: Path, http: Http
) -> None:
    done = fleetdiag("schedule", "run", "web")
    assert done.returncode == 3, done.stderr  # its host never answers
    assert [path for path, _, _ in http.requests] == ["/ping/start", "/ping/3"]
    assert (
        'fleetdiag_sweep_last_status{sweep="web",status="incomplete"} 1'
        in (home / "fleetdiag.prom").read_text()
    )
    runs = home / "state/fleetdiag/runs"
    assert "web1" in (runs / "index.html").read_text()

    http.requests.clear()
    config.write_text(CONFIG.replace("every", "evry"), encoding="utf-8")
    assert fleetdiag("schedule", "run", "web").returncode == 2
    assert http.requests == []
    told = fleetdiag("schedule", "failed", "web")  # what OnFailure starts
    assert told.returncode == 0, told.stderr
    ((path, _, body),) = http.requests
    assert path == "/hook"
    message = json.loads(body)
    assert message["subject"] == "[fleetdiag web] the sweep failed or was ended"
    assert "sweeps.web.evry: is not known here; did you mean every?" in message["body"]
    assert "journalctl -u fleetdiag-web.service" in message["body"]


def test_a_unit_that_failed_is_recorded_and_its_own_journal_named(
    fleetdiag: Command, home: Path, config: Path, http: Http
) -> None:
    assert fleetdiag("schedule", "install", "web", "--user").returncode == 0
    assert fleetdiag("schedule", "run", "web").returncode == 3
    shutil.rmtree(home / "state/fleetdiag/runs")  # the slot is to have no run
    http.requests.clear()
    config.write_text(CONFIG.replace("every", "evry"), encoding="utf-8")
    assert fleetdiag("schedule", "failed", "web").returncode == 0
    ((_, _, body),) = http.requests
    assert "journalctl --user-unit fleetdiag-web.service" in json.loads(body)["body"]
    runs = home / "state/fleetdiag/runs"
    ((status, reason),) = ((slot.status, slot.reason) for slot in slots.read(runs))
    assert (status, reason) == ("missed", "the configuration has a fault")
    assert "missed" in (runs / "index.html").read_text()


def swept(runs: Path, when: datetime) -> Path:
    """Leave a sweep of this name in which one of three hosts differs, that nobody has made a report of."""
    runs.mkdir(parents=True, exist_ok=True)
    made = Builder(
        runs, ["web1", "web2", "web3"], sweep_id=f"{when:%Y%m%d_%H%M%S}_ab12", manifests=MANIFESTS, name="web"
    )
    made.window()
    made.build()
    for host, files in (("web1", 10), ("web2", 11), ("web3", 900)):
        rows = [record("slow_files", 9, "httpd", f"/srv/{n}", 2_000_000 + n, 1) for n in range(files)]
        made.whole(host, {"slow_open": made.out(*rows)})
    return made.path


def test_what_a_sweep_did_not_tell_is_told_by_the_report_made_later_and_once(
    fleetdiag: Command, home: Path, config: Path, http: Http
) -> None:
    runs = home / "state/fleetdiag/runs"
    now = datetime.now(UTC)
    swept(runs, now - timedelta(hours=1))
    done = fleetdiag("collect", "web", "-i", "hosts.yml")  # nothing is left on the hosts
    assert done.returncode == 0, done.stderr
    assert fleetdiag("report", "web").returncode == 0
    ((_, _, body),) = http.requests
    assert json.loads(body)["subject"].startswith("[fleetdiag web] 1 new: web3: ")
    assert "web3" in (runs / "index.html").read_text()


def test_what_is_three_days_old_is_no_news(fleetdiag: Command, home: Path, config: Path, http: Http) -> None:
    runs = home / "state/fleetdiag/runs"
    swept(runs, datetime.now(UTC) - timedelta(days=3))
    assert fleetdiag("report", "web").returncode == 0
    assert http.requests == []
    assert "web3" in (runs / "index.html").read_text()


def test_a_copy_of_a_run_elsewhere_tells_nobody(
    fleetdiag: Command, home: Path, config: Path, http: Http
) -> None:
    swept(home / "copies", datetime.now(UTC) - timedelta(hours=1))
    assert fleetdiag("report", "web", "--runs-dir", "copies").returncode == 0
    assert http.requests == []
    assert not (home / "copies" / "index.html").exists()


def test_a_heartbeat_that_is_down_changes_nothing(
    fleetdiag: Command, home: Path, config: Path, http: Http
) -> None:
    (home / "ping").write_text("http://127.0.0.1:1/s3cret")
    done = fleetdiag("schedule", "run", "web")
    assert done.returncode == 3
    assert "fleetdiag: heartbeat /start: cannot be reached" in done.stderr
    assert "s3cret" not in done.stderr


def test_trying_a_receiver(fleetdiag: Command, config: Path, http: Http) -> None:
    done = fleetdiag("notify", "test", "hook")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hook: webhook taken in ")
    assert json.loads(http.requests[0][2])["subject"].startswith("[fleetdiag TEST] TEST: ")
    assert fleetdiag("notify", "test", "broken").returncode == 3
    unknown = fleetdiag("notify", "test", "hok")
    assert (unknown.returncode, "receivers.hok: is not there; it has hook, broken" in unknown.stderr) == (
        2,
        True,
    )


def test_what_is_pending(fleetdiag: Command, home: Path, config: Path, http: Http) -> None:
    assert fleetdiag("notify", "pending").stdout == "all messages were delivered\n"
    run = home / "state/fleetdiag/runs/20261129_010000_aaaa"
    run.mkdir(parents=True)
    message = {"key": "k", "subject": "[fleetdiag web] 1 new", "body": "b", "document": {}}
    entry = {"receiver": "hook", "message": message, "created": 4e9, "state": "pending", "tries": []}
    (run / "notify.json").write_text(json.dumps({"messages": [entry]}))
    listed = fleetdiag("notify", "pending")
    assert listed.returncode == 3
    assert "20261129_010000_aaaa  hook  pending after 0 tries: not tried yet" in listed.stdout
    assert json.loads(fleetdiag("notify", "pending", "--json").stdout)[0]["state"] == "pending"
    assert fleetdiag("notify", "pending", "--retry").returncode == 0
    assert len(http.requests) == 1


def test_the_digest(fleetdiag: Command, config: Path) -> None:
    assert "web 0 of 0" in fleetdiag("notify", "digest").stdout
