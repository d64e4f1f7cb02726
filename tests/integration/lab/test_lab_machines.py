# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rest of the suite takes for granted of the lab's machines."""

from __future__ import annotations

import time

import pytest

from fleetdiag.lab import boot, machines_data
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab
WEB = list(machines_data.WEB)


def output(lab: Lab, name: str, script: str) -> str:
    done = lab.ssh(name, script, timeout_s=300)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout.strip()


@pytest.mark.parametrize("name", WEB)
def test_machine_is_what_its_name_says(lab: Lab, name: str) -> None:
    assert output(lab, name, "hostname") == name
    assert output(lab, name, "systemctl is-system-running --wait") == "running"
    assert output(lab, name, "id -un 1000; sudo -u fleet sudo -n id -u").split() == ["fleet", "0"]


@pytest.mark.parametrize("name", WEB)
def test_clock_is_right(lab: Lab, name: str) -> None:
    before = time.time()
    there = float(output(lab, name, "date +%s.%N"))
    # The guest reads its clock in whole seconds at boot; a sweep measures the rest.
    assert before - 3 <= there <= time.time() + 3


def test_scripts_share_one_login(lab: Lab) -> None:
    connection = output(lab, "web1", "echo $SSH_CONNECTION")
    assert connection
    assert output(lab, "web1", "echo $SSH_CONNECTION") == connection


@pytest.mark.parametrize("name", WEB)
def test_builder_compiles_for_the_kernel(lab: Lab, name: str) -> None:
    release = output(lab, name, "uname -r")
    script = f"cd /tmp && stap -r {release} -p4 -m lab_test -e 'probe begin {{ exit() }}' 2>&1 >/dev/null; ls"
    assert "lab_test.ko" in output(lab, machines_data.BUILDER, script)
    # The call trace of a file system needs the module's own file.
    output(lab, machines_data.BUILDER, f"ls /lib/modules/{release}/kernel/fs/ext4/ext4.ko*")


def test_old_machine_has_the_runtime_that_is_too_old(lab: Lab) -> None:
    assert output(lab, "old1", "dpkg-query -W -f '${Version}' systemtap-runtime").partition("-")[0] == "4.8"


def test_runtime_can_be_removed_and_installed_without_network(lab: Lab) -> None:
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y"
    output(lab, "web2", f"{apt} --autoremove remove systemtap-runtime && ! command -v staprun")
    output(lab, "web2", f"apt-get -qq update && {apt} --no-install-recommends install systemtap-runtime")
    assert output(lab, "web2", "command -v staprun") == "/usr/bin/staprun"


def test_up_again_keeps_what_runs(lab: Lab) -> None:
    before = {name: process.pid for name, process in lab.machines.items()}
    again = boot.up(with_old=True, with_ghost=True)
    assert {name: process.pid for name, process in again.machines.items()} == before
