# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a clock, by real timers of a real machine: each costs its slot, says so, and the next one runs.

The controller is a machine of the lab, where an own clock can be set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from labcontroller import COMMAND, HERE, HOME, HOST, HOUR_S, Controller, iso, wheels
from receivers import Smtp, serving
from sweeps import wait_until

from fleetdiag.lab import boot
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("an emulated controller, half an hour")]
CONFIG = """
[sweeps.{name}]
inventory = ["{home}/{inventory}"]
probes = ["slow_open"]
window = "{window}"
every = "1h"
max_late = "{max_late}"
runs_dir = "{home}/{runs}"
notify = ["ops"]
[receivers.ops]
mail = {{ to = ["ops@example.org"], via = "smtp", host = "{here}", port = {smtp}, tls = "none" }}
"""
# Nobody answers there: a sweep of it takes one start of Ansible.
NOBODY = "{all: {hosts: {ghost: {ansible_host: 127.0.0.1, ansible_port: 9}}}}\n"
# An inventory that says its hosts when it is let: a sweep of it lasts as long as a test wants.
HELD = f"""
    #!/bin/sh
    touch {HOME}/asked
    while test -e {HOME}/held; do sleep 1; done
    echo '{{"all": {{"hosts": ["ghost"], "vars": {{"ansible_host": "127.0.0.1", "ansible_port": 9}}}}}}'
"""
# The user manager that a login would start. Machines of the lab lack what tells it its directory (libpam-systemd).
MANAGER = "user@$(id -u fleet).service"
DROP_IN = "/run/systemd/system/user@.service.d"
WITHOUT_PAM = f"""
mkdir {DROP_IN}
printf '[Service]\\nPAMName=\\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\\n' >{DROP_IN}/lab.conf
systemctl daemon-reload
"""
OFF = "no sweep was started: the controller was off or asleep, or the timer was"


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    server = Smtp()
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def controller(lab: Lab, smtp: Smtp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    folder = tmp_path_factory.mktemp("controller") / "wheels"
    wheels(folder)
    made = Controller(lab, smtp.server_address[1])
    try:
        made.install(folder)
        made.put(f"{HOME}/nobody.yml", NOBODY)
        made.put(f"{HOME}/held.sh", HELD, 0o700)
        yield made
    finally:
        boot.up([HOST], fresh=True)


@dataclass(frozen=True)
class Timer:
    """A sweep with a timer of the machine; each test has other runs."""

    on: Controller
    smtp: Smtp
    name: str = "night"
    path: str = "/etc/fleetdiag/config.toml"

    @property
    def unit(self) -> str:
        return f"fleetdiag-{self.name}.service"

    def configure(
        self, runs: str, inventory: str = "nobody.yml", window: str = "5s", max_late: str = "20min"
    ) -> None:
        """Write the configuration. All but the schedule takes effect with the next sweep."""
        text = CONFIG.format(
            name=self.name,
            inventory=inventory,
            window=window,
            max_late=max_late,
            home=HOME,
            runs=runs,
            here=HERE,
            smtp=self.on.smtp,
        )
        self.on.put(self.path, text, 0o644)

    def idle(self) -> None:
        """Wait until no sweep runs."""
        self.on.wait(f"! systemctl -q is-active {self.unit}")

    def recorded(self, slot: float, runs: str) -> None:
        """Wait until there is a record that a slot has no sweep."""
        self.on.wait(f"grep -qs '{iso(slot)}' {HOME}/{runs}/slots.jsonl")
        self.idle()

    def reach_limit(self) -> None:
        """Let the time that systemd gives a sweep end now; no machine is so slow that it comes too early."""
        folder = f"/run/systemd/system/{self.unit}.d"
        limit = f"mkdir {folder}; printf '[Service]\\nRuntimeMaxSec=1\\n' >{folder}/limit.conf"
        self.on.root(f"{limit}; systemctl daemon-reload")
        self.idle()
        assert self.on.root(f"systemctl show -P Result {self.unit}") == "timeout\n"
        self.on.root(f"rm -r {folder}; systemctl daemon-reload")

    def mails(self, word: str) -> list[str]:
        """Return the text of mails to the receiver whose subject has a word."""
        return [mail.get_content() for _, mail in self.smtp.mails if word in mail["Subject"]]


@pytest.fixture(scope="module")
def installed(controller: Controller, smtp: Smtp) -> Timer:
    made = Timer(controller, smtp)
    made.configure("first")
    said = controller.fleet(f"sudo {COMMAND} schedule install night")
    assert "verified; next: " in said
    return made


@pytest.fixture
def timer(installed: Timer) -> Timer:
    installed.on.root("systemctl start fleetdiag-night.timer")
    installed.idle()
    installed.smtp.mails.clear()
    return installed


def test_a_clock_set_forward_over_slots_has_none_of_them_caught_up(timer: Timer) -> None:
    on, runs = timer.on, "forward"
    timer.configure(runs)
    first = on.after_slot(40)
    timer.recorded(first, runs)  # systemd starts it for a slot over which the clock was moved
    last = on.after_slot(40, slots=3)
    timer.recorded(last, runs)
    assert [(slot, status) for slot, status, _ in on.records(runs)] == [
        (iso(first), "skipped"),
        (iso(last - 2 * HOUR_S), "missed"),
        (iso(last - HOUR_S), "missed"),
        (iso(last), "skipped"),
    ]
    assert {reason for _, status, reason in on.records(runs) if status == "missed"} == {OFF}
    assert on.records(runs)[-1][2].startswith("late by ")
    assert on.swept(runs) == []
    assert timer.mails("") == []  # no two in a row were skipped


def test_a_clock_set_back_has_no_slot_swept_twice(timer: Timer) -> None:
    on, runs = timer.on, "back"
    timer.configure(runs)
    slot = on.after_slot(40)
    timer.recorded(slot, runs)
    on.set_clock(slot - 3 * HOUR_S)
    on.root(f"systemctl start {timer.unit}")
    timer.recorded(slot - 3 * HOUR_S, runs)
    later = f"a later slot, {iso(slot)}, has a sweep or a record already: the clock was set back"
    assert on.records(runs)[1:] == [(iso(slot - 3 * HOUR_S), "skipped", later)]
    on.set_clock(slot + 60)  # the slot comes a second time
    on.root(f"systemctl start {timer.unit}")
    on.wait(
        f"journalctl -u {timer.unit} -o cat | grep -q '{iso(slot)} is skipped: it has a sweep or a record'"
    )
    timer.idle()
    assert len(on.records(runs)) == 2
    assert on.swept(runs) == []


def test_a_configuration_broken_at_the_time_of_a_slot_is_told_and_costs_that_slot(timer: Timer) -> None:
    on, runs = timer.on, "broken"
    timer.configure(runs)
    timer.recorded(on.after_slot(40), runs)
    timer.configure(runs, window="soon")
    slot = on.before_slot()
    wait_until(lambda: bool(timer.mails("failed or was ended")), "a message that the sweep failed", 600)
    (text,) = timer.mails("failed or was ended")
    assert f"{timer.path}:4: sweeps.night.window: 'soon' is not possible; write it like 30s" in text
    assert f"journalctl -u {timer.unit}" in text
    timer.configure(runs)
    after = on.after_slot(40)
    timer.recorded(after, runs)  # its timer starts it as before
    assert on.records(runs)[1] == (iso(slot), "missed", "the configuration has a fault")
    assert [(which, status) for which, status, _ in on.records(runs)[2:]] == [(iso(after), "skipped")]


def test_a_machine_that_sleeps_over_a_slot_does_not_catch_it_up(timer: Timer) -> None:
    on, runs = timer.on, "asleep"
    timer.configure(runs, max_late="1min")
    first = on.after_slot(10)
    timer.recorded(first, runs)
    slot = first + HOUR_S
    on.root(f"date -s @{slot - 30:.0f}; rtcwake -m mem -s 150")
    assert "PM: suspend exit" in on.root("dmesg")
    timer.recorded(slot, runs)  # systemd starts it on waking up
    (_, (which, status, reason)) = on.records(runs)
    assert (which, status) == (iso(slot), "skipped")
    assert re.fullmatch("late by [0-9]+ (s|min)", reason)
    assert on.swept(runs) == []


def test_a_user_timer_without_lingering_runs_only_while_its_user_is_logged_in(
    controller: Controller, smtp: Smtp
) -> None:
    on, runs = controller, "own"
    own = Timer(on, smtp, "own", f"{HOME}/.config/fleetdiag/config.toml")
    own.configure(runs)
    on.root(f"{WITHOUT_PAM}\nsystemctl start {MANAGER}")  # a login does
    said = on.fleet(f"{COMMAND} schedule install --user own; {COMMAND} doctor own || true")
    assert "the timer runs only while you are logged in; for longer: loginctl enable-linger" in said
    assert "own: user timer without lingering: runs only while you are logged in" in said
    logged_in = on.after_slot(40)
    own.recorded(logged_in, runs)
    on.root(f"systemctl stop {MANAGER}")  # the end of the last login does
    on.after_slot(40)
    assert len(on.records(runs)) == 1
    on.root(f"systemctl start {MANAGER}")
    again = on.after_slot(40)
    own.recorded(again, runs)
    first, missed, last = on.records(runs)
    assert first[:2] == (iso(logged_in), "skipped")
    assert missed == (iso(again - HOUR_S), "missed", OFF)
    assert last[:2] == (iso(again), "skipped")


def test_a_sweep_longer_than_its_interval_costs_the_slot_that_passed_meanwhile(timer: Timer) -> None:
    on, runs = timer.on, "longer"
    timer.configure(runs, inventory="held.sh")
    on.fleet("touch held; rm -f asked")
    slot = on.before_slot()
    on.wait(f"test -e {HOME}/asked")  # the sweep of that slot has begun
    passed = on.after_slot(40)
    assert passed == slot + HOUR_S
    on.fleet("rm held")
    timer.recorded(passed, runs)  # systemd starts it for that slot as soon as the sweep has ended
    assert on.swept(runs) == [iso(slot)]
    ((which, status, reason),) = on.records(runs)
    assert (which, status) == (iso(passed), "skipped")
    assert reason.startswith("late by ")
    assert timer.mails("") == []  # once is nothing to tell


def test_a_sweep_that_its_unit_ends_before_it_began_is_told_and_costs_its_slot(timer: Timer) -> None:
    on, runs = timer.on, "ended"
    timer.configure(runs, inventory="held.sh")
    on.fleet("touch held; rm -f asked")
    slot = on.before_slot()
    on.wait(f"test -e {HOME}/asked")
    timer.reach_limit()
    on.fleet("rm held")
    wait_until(lambda: bool(timer.mails("failed or was ended")), "a message that the sweep was ended", 600)
    timer.recorded(slot, runs)
    assert on.swept(runs) == []
    assert on.records(runs) == [
        (iso(slot), "missed", "the sweep could not start, or was ended before it began")
    ]
    timer.configure(runs)
    after = on.after_slot(40)
    timer.recorded(after, runs)  # its timer starts it as before
