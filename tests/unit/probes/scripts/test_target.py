# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that ask for a process with target()."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, target
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import read


@pytest.mark.parametrize(
    ("body", "need"),
    [
        ("n++", ""),
        ("if (pid() == target()) n++", "needed"),
        ("if (target() != pid()) next", "needed"),
        ("if (target_set_pid(pid())) n++", "needed"),
        ("if (target() && pid() != target()) next", "optional"),
        ("if (!target() || target_set_pid(pid())) n++", "optional"),
        ("if (target() == 0) next", "optional"),
        ("if (0 == target()) next", "optional"),
        ("traced = target()", "optional"),
        ("x->target = 1", ""),
    ],
)
def test_what_a_script_asks(body: str, need: str) -> None:
    assert target.need_of(read(f"probe syscall.read {{ {body} }}")) == need


def test_a_script_with_a_target_of_its_own_asks_for_none() -> None:
    own = "function target:long() { return 5 }\nprobe syscall.read { if (pid() == target()) n++ }"
    assert target.need_of(read(own)) == ""
    assert target.need_of(read("global target = 5\nprobe syscall.read { if (pid() == target()) n++ }")) == ""


def script(folder: Path, condition: str = "pid() == target()") -> str:
    path = folder / "t.stp"
    path.write_text(f"probe syscall.read {{ if ({condition}) n++ }}\n")
    return str(path)


def test_the_process_is_a_parameter(tmp_path: Path) -> None:
    probe = plain.load(script(tmp_path), None)
    assert probe.target == "needed"
    values = parameters.check(probe, {"target": "812"})
    assert parameters.split(probe, values) == ({"target": 812}, [])


def test_a_script_that_needs_one_is_refused_without(tmp_path: Path) -> None:
    probe = plain.load(script(tmp_path), None)
    with pytest.raises(FleetdiagError, match=r"asks for a process \(target\(\).*variable sweep_target"):
        target.check(probe, {"target": 0}, {})
    target.check(probe, {"target": 812}, {})
    target.check(probe, {"target": 0}, {"web1": "nginx.service"})
    optional = plain.load(script(tmp_path, "target() && pid() != target()"), None)
    target.check(optional, {"target": 0}, {})


def test_what_a_host_may_name() -> None:
    assert target.of_host(" 812 ", "x") == 812
    assert target.of_host("php8.2-fpm@www.service", "x") == "php8.2-fpm@www.service"
    for wrong in ("0", "99999999", "-p", "a b", "$(reboot)", ""):
        with pytest.raises(FleetdiagError, match=r"^x: .* is neither the number of a process nor the name"):
            target.of_host(wrong, "x")


def test_what_systemctl_prints() -> None:
    assert target.main_pid("MainPID=812\n") == 812
    assert target.main_pid("MainPID=0\n") == 0
    assert target.main_pid("Failed to connect to bus\n") == 0
