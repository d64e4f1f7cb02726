# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lvs_weight where ipvsadm fails. The kernel's table is a file here; test_drain has the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# The module on a host with systemd, whose programs are stand-ins here: no timer is left when a test ends.
MODULE = """
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import timer
from ansible_collections.fleetdiag.systemtap.plugins.modules import lvs_weight
timer._SYSTEMD = "/"
lvs_weight.main()
"""
SERVICE, FIRST, SECOND = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
LABEL = f"lvs: tcp {SERVICE}/{FIRST}"
IPVSADM = """#!/usr/bin/env python3
import os, re, sys
table, arguments = os.environ["TABLE"], sys.argv[1:]
rules = open(table).read()
if arguments[0] == "-Sn":
    print(rules, end="")
elif os.path.exists(table + ".busy"):
    sys.exit("Memory allocation problem")
elif arguments[0] == "-e":
    real, weight = (arguments[arguments.index(option) + 1] for option in ("-r", "-w"))
    open(table, "w").write(re.sub(rf"(-r {re.escape(real)} -m -w )\\d+", rf"\\g<1>{weight}", rules))
"""


class Table:
    """A service with two real servers, and the program that changes their weights."""

    def __init__(self, folder: Path) -> None:
        self.path, self.records = folder / "table", folder / "records"
        real = "".join(f"-a -t {SERVICE} -r {name} -m -w 100\n" for name in (FIRST, SECOND))
        self.path.write_text(f"-A -t {SERVICE} -s wrr\n{real}")
        (folder / "bin").mkdir()
        for name, text in (("ipvsadm", IPVSADM), *((n, "#!/bin/sh\n") for n in ("systemd-run", "systemctl"))):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.environment = {
            **os.environ,
            "PYTHONPATH": ":".join(sys.path),
            "TABLE": str(self.path),
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
        }

    def busy(self, it_is: bool) -> None:
        busy = Path(f"{self.path}.busy")
        busy.touch() if it_is else busy.unlink()

    def start_timers_program(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", str(self.records / "t.py"), str(self.records / "t.json")],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, state: str, change: str = "t", **more: Any) -> dict[str, Any]:
        """Return the result of the module lvs_weight, as a host runs it."""
        asked = {"state": state, "token": change, "servers": [FIRST], "ttl": 60, "wait": 0, **more}
        arguments = {"ANSIBLE_MODULE_ARGS": {**asked, "record_dir": str(self.records)}}
        done = subprocess.run(
            [sys.executable, "-c", MODULE],
            input=json.dumps(arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def weight(self, server: str = FIRST) -> int:
        line = next(line for line in self.path.read_text().splitlines() if f"-r {server}" in line)
        return int(line.split()[-1])


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_a_weight_that_could_not_be_given_back_stays_in_its_record(table: Table) -> None:
    assert table.ask("lowered")["changed"]
    assert table.weight() == 50
    table.busy(True)
    said = table.ask("restored")
    table.busy(False)
    assert (table.records / "t.json").exists()
    assert (said["failed"], said["owed"][LABEL]["weight"]) == (True, 100)
    assert f"{LABEL}: weight 100 is not given back yet: " in said["msg"]
    assert table.ask("restored")["weights"] == {LABEL: {"after": 100}}
    assert (table.weight(), list(table.records.iterdir())) == (100, [])


def test_the_timers_program_tries_until_all_is_given_back(table: Table) -> None:
    table.ask("lowered")
    table.busy(True)
    program = table.start_timers_program()
    assert program.stdout is not None
    assert f"{LABEL}: weight 100 is not given back yet: " in program.stdout.readline()
    table.busy(False)
    assert program.wait(60) == 0
    assert (table.weight(), list(table.records.iterdir())) == (100, [])


def test_a_weight_that_somebody_else_changed_is_left_alone(table: Table) -> None:
    table.ask("lowered")
    table.path.write_text(table.path.read_text().replace("-w 50", "-w 77"))
    said = table.ask("restored")
    assert said["left"] == {LABEL: "its weight is 77, not the 50 we had set"}
    assert (table.weight(), list(table.records.iterdir())) == (77, [])


def test_a_server_that_another_change_has_lowered_is_refused_and_counts_for_no_other(table: Table) -> None:
    table.ask("lowered", "first")
    again = table.ask("lowered", "second")
    assert f"{LABEL}: the change first has lowered it and not given it back yet" in again["msg"]
    assert "only 0 other active servers" in table.ask("lowered", "second", servers=[SECOND])["msg"]
    assert (table.weight(), table.weight(SECOND)) == (50, 100)


def test_a_damaged_record_costs_no_other(table: Table) -> None:
    table.ask("lowered")
    bad = table.records / "a.json"
    bad.write_text("{")
    said = table.ask("restored", "")
    assert f"{bad}: is damaged" in said["msg"]
    assert (table.weight(), [path.name for path in table.records.glob("*.json")]) == (100, ["a.json"])


def test_half_of_a_weight_of_one_is_not_nothing(table: Table) -> None:
    table.path.write_text(table.path.read_text().replace("-w 100", "-w 1"))
    assert "its weight 1 cannot be lowered" in table.ask("lowered", floor=0)["msg"]
    assert table.ask("lowered", floor=0, weight="0%")["weights"] == {LABEL: {"before": 1, "after": 0}}
