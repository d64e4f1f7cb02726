# SPDX-License-Identifier: GPL-3.0-or-later
"""How a benchmark leaves what it measured: `build/bench/NAME.json`, and a line on the terminal for each goal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"


def as_installed(environment: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return the environment with a place where Python keeps what it has compiled, as an installed program has one."""
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(cache)}


@dataclass(frozen=True)
class Ratio:
    """One figure with its goal: `measured` is to be at most `goal`, or at least with `at_most=False`."""

    name: str
    measured: float
    goal: float
    at_most: bool = True

    @property
    def holds(self) -> bool:
        """Whether the goal was met."""
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal


@dataclass(frozen=True)
class Result:
    """What one benchmark found: figures are for people, `versions` of what was measured beside Python."""

    name: str
    what: str
    ratios: Sequence[Ratio]
    figures: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def write(result: Result, out: Path | None = None) -> int:
    """Write the file (default `build/bench/NAME.json`), show the goals; 0 when all of them hold, else 1."""
    path = out or FOLDER / f"{result.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_as_data(result), indent=1) + "\n", encoding="utf-8")
    for ratio in result.ratios:
        goal = f"{'at most' if ratio.at_most else 'at least'} {ratio.goal:,}"
        print(f"{'holds ' if ratio.holds else 'MISSED'}  {ratio.name}: {ratio.measured:,} (goal: {goal})")
    return 0 if all(ratio.holds for ratio in result.ratios) else 1


def _as_data(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "what": result.what,
        "ratios": [
            {
                "name": ratio.name,
                "measured": ratio.measured,
                "goal": ratio.goal,
                "at_most": ratio.at_most,
                "holds": ratio.holds,
            }
            for ratio in result.ratios
        ],
        "figures": dict(result.figures),
        "machine": {"cpus": os.cpu_count(), "cpu": _cpu(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **result.versions},
    }


def _cpu() -> str:
    """The processor's name as the kernel says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
