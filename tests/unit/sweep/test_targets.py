# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script's target() is on each host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import targets


def sweep(need: str, given: int = 0) -> dict[str, Any]:
    asks = {"name": "stp_t", "manifest": {"target": need}, "parameters": {"target": given}}
    return {"id": "x", "probes": [asks, {"name": "nettop", "manifest": {}, "parameters": {}}]}


class Host:
    """A host that answers systemctl, and remembers what it was asked."""

    def __init__(self, answer: tuple[int, str, str] = (0, "MainPID=812\n", "")) -> None:
        self.answer, self.asked = answer, list[str]()

    def __call__(self, command: str) -> tuple[int, str, str]:
        self.asked.append(command)
        return self.answer


def values(found: targets.Targets) -> list[dict[str, Any]]:
    return [entry["parameters"] for entry in found.sweep["probes"]]


def test_a_number_is_taken_without_asking_the_host() -> None:
    host = Host()
    found = targets.of_host(sweep("needed"), "99", host)
    assert (values(found), found.missing, host.asked) == ([{"target": 99}, {}], {}, [])


def test_a_unit_is_its_main_process_on_the_host() -> None:
    host = Host()
    recorded = sweep("optional")
    found = targets.of_host(recorded, "nginx.service", host)
    assert host.asked == ["systemctl show --property=MainPID -- nginx.service"]
    assert values(found) == [{"target": 812}, {}]
    assert recorded["probes"][0]["parameters"] == {"target": 0}  # of the others


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((0, "MainPID=0\n", ""), "the unit nginx has no main process on it; start it, or name another"),
        ((127, "", "sh: systemctl: not found"), "(sh: systemctl: not found)"),
    ],
)
def test_a_unit_that_does_not_run_costs_only_what_asks(answer: tuple[int, str, str], why: str) -> None:
    found = targets.of_host(sweep("optional"), "nginx", Host(answer))
    assert list(found.missing) == ["stp_t"]
    assert why in found.missing["stp_t"]


def test_a_host_without_the_variable() -> None:
    found = targets.of_host(sweep("needed"), None, Host())
    assert found.missing == {
        "stp_t": "it asks for a process (target()), and the host has no variable sweep_target"
    }
    assert targets.of_host(sweep("optional"), "", Host()).missing == {}


def test_what_was_given_for_the_sweep_counts() -> None:
    found = targets.of_host(sweep("needed", given=5), "nginx", Host())
    assert (values(found)[0], found.missing) == ({"target": 5}, {})
