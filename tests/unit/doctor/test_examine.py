# SPDX-License-Identifier: GPL-3.0-or-later
"""Each check of the doctor, with what it is to find made by hand; a check is found by being there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from commands import Command

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.config import Config, NamedSweep, Receiver
from fleetdiag.doctor import examine, preflight
from fleetdiag.doctor.checks import clock, configuration, history, receivers, space, sweeps, timers
from fleetdiag.doctor.model import Case, Line
from fleetdiag.notify import outbox
from fleetdiag.notify.message import Message
from fleetdiag.schedule import units

NOW = datetime.fromisoformat("2026-11-29T12:00:00+00:00").timestamp()


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    runs = tmp_path / "runs"
    runs.mkdir()
    web = NamedSweep("web", {"every": "1h", "runs_dir": str(runs), "inventory": ["web1,"]})
    return Case(Config(tmp_path / "x.toml", {"web": web}), [web], [runs], NOW, reach=False)


def swept(case: Case, hour: int, status: str = "probed") -> Path:
    run_id, slot = f"20261129_{hour:02d}0000_aaaa", f"2026-11-29T{hour:02d}:00:00Z"
    run = write.create(case.runs_dirs[0], {"id": run_id, "name": "web", "slot": slot, "hosts": []})
    write.write_json(run, "report.json", {"coverage": [{"host": "web1", "status": status}], "findings": []})
    return run


def only(lines: list[Line]) -> Line:
    (line,) = lines
    return line


def test_every_check_has_an_order_of_its_own() -> None:
    orders = [check.ORDER for check in examine.all_checks()]
    assert orders == sorted(set(orders))
    assert len(orders) >= 10


def test_the_exit_code_is_that_of_the_worst() -> None:
    lines = {level: Line(level, "x", "y") for level in ("ok", "WARN", "FAIL")}
    assert examine.exit_code([lines["ok"]]) == 0
    assert examine.exit_code([lines["WARN"], lines["ok"]]) == 3
    assert examine.exit_code([lines["WARN"], lines["FAIL"]]) == 2


def test_a_check_that_cannot_be_made_does_not_end_the_others(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Case) -> list[Line]:
        raise FleetdiagError("the place is gone")

    monkeypatch.setattr(history, "look", broken)
    lines = list(examine.look(case))
    assert Line("FAIL", "history", "the place is gone") in lines
    assert {"controller", "space", "sweep"} <= {line.about for line in lines}


# --- one by one ---


def test_configuration(case: Case, tmp_path: Path) -> None:
    assert only(list(configuration.look(case))).level == "ok"
    assert (
        only(list(configuration.look(Case(Config(), [], [], NOW, fault="x.toml:3: bad")))).text
        == "x.toml:3: bad"
    )
    secret = tmp_path / "hook"
    receiver = Receiver("pager", "webhook", {"url_file": str(secret)})
    told = Case(Config(case.config.path, {}, {"pager": receiver}), [], [], NOW)
    assert "no such file" in only(list(configuration.look(told))).text
    secret.write_text("https://example.org/s3cret")
    secret.chmod(0o644)
    warned = next(iter(configuration.look(told)))
    assert (warned.level, warned.remedy) == ("WARN", f"chmod go-r {secret}")


def test_space(case: Case) -> None:
    assert only(list(space.look(case))).level == "ok"
    with (swept(case, 11) / "big").open("wb") as file:
        file.truncate(10**12)  # sparse: it takes no room, and is not counted
    assert only(list(space.look(case))).level == "ok"


def test_a_full_disk(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    (swept(case, 11) / "data").write_bytes(b"x" * 10**6)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": space.LEAST + 1})())
    monkeypatch.setattr(space, "FEW_WEEKS", 10**6)
    warned = only(list(space.look(case)))
    assert warned.level == "WARN"
    assert "full in " in warned.text
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0})())
    assert only(list(space.look(case))).level == "FAIL"


def test_a_run_from_the_future(case: Case) -> None:
    swept(case, 15)
    assert "20261129_150000_aaaa is ahead of the clock" in next(iter(clock.look(case))).text


def test_timers(case: Case) -> None:
    assert "no systemd timer" in only(list(timers.look(case))).text
    folder = units.unit_dir("user")
    folder.mkdir(parents=True)
    head = "# fleetdiag schedule web (user), sha256 {}\n"
    (folder / "fleetdiag-web.timer").write_text(head.format("0" * 64))
    assert "differs from the configuration" in only(list(timers.look(case))).text
    (folder / "fleetdiag-web.timer").write_text(
        head.format(units.digest(case.config, case.sweeps[0], "user"))
    )
    assert "differs" not in only(list(timers.look(case))).text
    (folder / "fleetdiag-other.timer").write_text("[Timer]\n")  # not ours
    assert list(units.installed("user")) == ["web"]


def test_receivers(case: Case, tmp_path: Path) -> None:
    known = {
        "gone": Receiver("gone", "command", ["/nowhere/hook"]),
        "there": Receiver("there", "command", ["/bin/sh"]),
        "mail": Receiver("mail", "mail", {"to": ["a@b"], "sendmail": "/nowhere/sendmail"}),
    }
    told = Case(Config(case.config.path, {}, known), [], case.runs_dirs, NOW)
    levels = {line.text.partition(":")[0]: line.level for line in receivers.look(told)}
    assert levels == {"gone": "FAIL", "there": "ok", "mail": "FAIL"}
    outbox.write(swept(case, 11), [outbox.Entry("gone", Message("k", "s", "b"), NOW)])
    assert list(receivers.look(told))[-1].text == "1 message could not be delivered"


def test_sweeps(case: Case) -> None:
    assert only(list(sweeps.look(case))).text == "web: has never run"
    swept(case, 9)
    silent = only(list(sweeps.look(case)))
    assert (silent.level, silent.text) == ("FAIL", "web: last 2026-11-29T09:00:00Z, fine, 3 intervals ago")
    swept(case, 11, "unreachable")
    assert only(list(sweeps.look(case))).level == "WARN"
    swept(case, 12)
    assert only(list(sweeps.look(case))).level == "ok"


def test_what_preflight_says_of_a_host(case: Case) -> None:
    run = swept(case, 11)
    write.write_host(run, "web1", "preflight", {"verdict": "ok", "kernel": "6.12.1"})
    assert preflight._host(run, "web1", "not probed", "") == preflight.Host("web1", True, kernel="6.12.1")
    write.write_host(run, "web2", "preflight", {"verdict": "refused", "kernel": "6.12.1"})
    host = preflight._host(run, "web2", "no staprun", "install it")
    assert (host.ok, host.reason, host.remedy) == (False, "no staprun", "install it")
    assert not preflight._host(run, "web3", "unreachable", "").ok
    write.write_json(run, "builds/6.12.1.json", {"kernel": "6.12.1"})
    assert preflight.built_kernels(case.runs_dirs[0], "web") == {"6.12.1"}


# --- the command ---


def test_doctor_of_an_inventory(fleetdiag: Command, home: Path) -> None:
    done = fleetdiag("doctor", "-i", "hosts.yml", "-l", "web", "--json")
    assert done.returncode == 2, done.stderr
    lines = json.loads(done.stdout)
    (host,) = [line for line in lines if line["about"] == "host"]
    assert host["level"] == "FAIL"
    assert host["text"].startswith("web1: unreachable at preflight")
    assert host["remedy"]
    runs = home / "state/fleetdiag/runs"
    assert not runs.exists() or list(runs.iterdir()) == []
    assert not list((home / "state/fleetdiag").glob("preflight-*"))


def test_a_host_that_answers_is_asked_and_nothing_is_done_there(fleetdiag: Command, home: Path) -> None:
    """This machine itself, without ssh: it is asked, and whatever it answers, nothing is compiled or loaded."""
    (home / "here.yml").write_text("all: {hosts: {here: {ansible_connection: local}}}\n", encoding="utf-8")
    done = fleetdiag("sweep", "-i", "here.yml", "--probe", "slow_open", "--dry-run", "--no-become")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        ("here  would be probed, on kernel ", "here  would not be probed as it is: ")
    )
    assert "unreachable" not in done.stdout
    assert "window" not in done.stderr
    assert not list((home / "state/fleetdiag/runs").iterdir())


def test_bad_input(fleetdiag: Command) -> None:
    assert "NAME has an inventory of its own" in fleetdiag("doctor", "web", "-i", "hosts.yml").stderr
    assert "there is no configuration that names it" in fleetdiag("doctor", "web").stderr
