# SPDX-License-Identifier: GPL-3.0-or-later
"""A real timer of systemd sweeps every two minutes, over real ssh: who is told what, and which slots had no sweep.

The hosts are those of the loopback fleet; mail and web hook are real servers on loopback.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import Fleet
from receivers import Http, Smtp, serving
from sweeps import ENVIRONMENT, ROOT, wait_until
from usermanager import Manager, lacking, manager

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references, slots

pytestmark = pytest.mark.long("half an hour of a timer")
NAME = "story"
INTERVAL_S = 120
SICK = "host0001"
CONFIG = """
[sweeps.story]
inventory = ["{inventory}"]
probes = ["slow_open"]
window = "{window}"
schedule = "*:0/2"
max_late = "30s"
become = false
extra_vars = ["sweep_install=false"]
runs_dir = "{runs}"
notify = ["hook", "ops"]
[receivers.hook]
webhook = {{ url = "{hook}" }}
[receivers.ops]
mail = {{ to = ["ops@example.org"], via = "smtp", host = "127.0.0.1", port = {smtp}, tls = "none" }}
"""
PLANTED = [f"x\t{n + 3}\tfiles\t100\thttpd\t358\t4020832\t/srv/{n}\t0" for n in range(400)]


@dataclass
class Story:
    """What the timer's sweeps work on, and where they tell."""

    fleet: Fleet
    systemd: Manager
    http: Http
    smtp: Smtp
    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def configure(self, window: str = "2s") -> None:
        """Write the configuration; all but the schedule takes effect with the next sweep."""
        path = self.folder / "fleetdiag.toml"
        text = CONFIG.format(
            inventory=self.fleet.inventory,
            window=window,
            runs=self.runs,
            hook=self.http.url,
            smtp=self.smtp.server_address[1],
        )
        new = path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.replace(path)

    def fleetdiag(self, *words: str) -> str:
        """Return what the command prints; it must end well."""
        config = str(self.folder / "fleetdiag.toml")
        done = self.systemd.run(sys.executable, "-m", "fleetdiag", "--config", config, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ended(self) -> list[str]:
        """Return the runs that have told what is new."""
        return [run for run in references.ids(self.runs) if (self.runs / run / "news.json").exists()]

    def wait(self, true: object, what: str, sweeps: float) -> None:
        """Wait for what must be true after so many sweeps."""
        wait_until(lambda: bool(true()), what, sweeps * INTERVAL_S)  # type: ignore[operator]

    def subjects(self) -> list[str]:
        """Return the subjects that came to the web hook."""
        return [json.loads(body)["subject"] for _, _, body in self.http.requests]

    def without_run(self) -> list[tuple[str, str]]:
        """Return the slots that had no run: (status, reason)."""
        return [(slot.status, slot.reason) for slot in slots.read(self.runs) if slot.name == NAME]


@pytest.fixture
def story(hosts: Fleet, tmp_path: Path) -> Iterator[Story]:
    if lacking():
        pytest.skip(f"needs {', '.join(lacking())}")
    environment = {
        **ENVIRONMENT,
        **hosts.environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
    }
    environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    http, smtp = Http(), Smtp()
    with serving(http), serving(smtp), manager(tmp_path, environment) as systemd:
        made = Story(hosts, systemd, http, smtp, tmp_path)
        made.configure()
        yield made


def test_a_timer_sweeps_tells_what_is_new_and_gone_and_catches_nothing_up(story: Story) -> None:
    said = story.fleetdiag("schedule", "install", NAME, "--user")
    assert "written; verified; next: " in said
    assert story.systemd.systemctl("is-active", f"fleetdiag-{NAME}.timer") == "active\n"
    story.wait(lambda: len(story.ended()) >= 1, "a sweep by the timer", 2)
    assert story.subjects() == []

    story.fleet.sessions.of_host[SICK, "slow_open"] = PLANTED
    story.wait(lambda: len(story.subjects()) == 1, "a message that it is new", 4)
    assert story.subjects()[0].startswith(f"[fleetdiag {NAME}] 1 new: {SICK}: 400 files open longer than")

    story.fleet.sessions.of_host.clear()
    story.wait(lambda: len(story.subjects()) == 2, "a message that it is gone", 4)
    assert story.subjects()[1].startswith(f"[fleetdiag {NAME}] 1 gone: {SICK}: ")

    story.configure(window="150s")  # a sweep that is longer than its interval
    story.wait(lambda: "skipped" in dict(story.without_run()), "a slot that is skipped", 4)
    story.configure()
    assert re.match("late by [0-9]+ s", dict(story.without_run())["skipped"])
    before = len(story.ended())
    story.wait(lambda: len(story.ended()) > before, "a sweep in its slot again", 3)

    story.systemd.systemctl("stop", f"fleetdiag-{NAME}.timer")
    off = time.time()
    story.wait(lambda: time.time() > off + 2.2 * INTERVAL_S, "two slots while the timer is off", 3)
    before = len(story.ended())
    story.systemd.systemctl("start", f"fleetdiag-{NAME}.timer")  # systemd fires at once for the last of them
    story.wait(lambda: len(story.ended()) > before, "a sweep after that", 3)
    statuses = [status for status, _ in story.without_run()]
    assert statuses[:2] == ["skipped", "missed"]
    assert set(statuses) == {"skipped", "missed"}

    mails = [(to, mail["Subject"]) for to, mail in story.smtp.mails]
    assert mails == [(["ops@example.org"], subject) for subject in story.subjects()]
    assert len(mails) == 2
    page = (story.runs / "index.html").read_text(encoding="utf-8")
    assert {"fine", "skipped", "missed"} <= set(re.findall(r'<li class="(\w+)">', page))
    digest = story.fleetdiag("notify", "digest")
    assert re.search(rf"{NAME} \d+ of \d+ \(.*\d skipped, \d missed\)", digest), digest
    assert "1 new, 1 gone" in digest
    assert NAME in story.fleetdiag("schedule", "list")
    story.fleetdiag("schedule", "remove", NAME, "--user")
    assert story.systemd.systemctl("list-timers", "--all", "--no-legend") == ""
