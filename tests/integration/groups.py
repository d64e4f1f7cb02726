# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of integration tests share a lab or a fleet, and so run one after the other, in one process.

Each process has a lab and fleets of its own: a file that is not named here is right too, it only starts more machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xdist.scheduler.loadscope import LoadScopeScheduling


@dataclass(frozen=True)
class Group:
    """machines: what is up in the lab while these files are tested; none: builder, web1 to web3, old1 and ghost."""

    name: str
    files: tuple[str, ...]
    machines: tuple[str, ...] = ()


#: Those that last longest come first.
GROUPS = (
    Group(
        "whole lab",
        (
            "test_catalog_probes_b",
            "test_catalog_probes_a",
            "test_lab_machines",
            "test_faults",
            "test_molecule",
            "test_sweep",
            "test_scenario",
            "test_drain",
            "test_known_figures",
            "test_memory",
            "test_shards",
            "test_warm_sweeps",
            "test_target_mode",
        ),
    ),
    Group(
        "two web machines",
        (
            "test_article",
            "test_canary",
            "test_examples",
            "test_hostile",
            "test_kernel_info",
            "test_probes_dev",
            "test_programs",
            "test_trouble",
            "test_wheel",
            "test_lab_soak",
        ),
        ("builder", "web1", "web2"),
    ),
    Group(
        "one web machine",
        ("test_guard", "test_reboot", "test_signed", "test_lab_timers"),
        ("builder", "web2"),
    ),
    Group("arm64", ("test_arm64",), ("builder", "web1", "arm1")),
    Group("loopback, faults", ("test_answers", "test_controller", "test_operator_config")),
    Group("loopback, flow", ("test_flow", "test_start", "test_strangers", "test_timer")),
    Group("builder", ("test_builders", "test_commands", "test_tracepoints", "test_lab_down"), ("builder",)),
)
_OF_FILE = {file: number for number, group in enumerate(GROUPS) for file in group.files}


def machines(file: Path) -> tuple[str, ...]:
    """Return the machines of the lab that a file's tests need; none means all."""
    return GROUPS[_OF_FILE[file.stem]].machines if file.stem in _OF_FILE else ()


def turn(file: Path) -> int:
    """Return the place of a file's group; files of no group come last."""
    return _OF_FILE.get(file.stem, len(GROUPS))


class Scheduling(LoadScopeScheduling):
    """Gives all tests of a group to one process. xdist's own `loadgroup` does nothing under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        number = turn(file)
        return GROUPS[number].name if number < len(GROUPS) else str(file)
