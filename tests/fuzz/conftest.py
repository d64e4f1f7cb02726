# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the fuzz tests go on, and within which bounds each example has to end.

FLEETDIAG_FUZZ_EXAMPLES: examples of each test; by default so few that all take about a minute (`make fuzz`: an hour).
FLEETDIAG_FUZZ_SEED: another number gives other examples; without it they are the same every time.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "fuzz"))

EXAMPLES = int(os.environ.get("FLEETDIAG_FUZZ_EXAMPLES", "300"))
SEED = os.environ.get("FLEETDIAG_FUZZ_SEED", "")

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not SEED,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the state directory of the person who runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every fuzz test its number of examples, and its seed."""
    for item in items:
        test = getattr(item, "obj", None)
        if Path(item.path).parent != TESTS / "fuzz" or not hasattr(test, "hypothesis"):
            continue
        function = getattr(test, "__func__", test)
        function._hypothesis_internal_use_settings = settings.get_profile("fuzz")
        if SEED:
            function._hypothesis_internal_use_seed = random.Random(f"{SEED} {item.name}").getrandbits(64)  # noqa: S311
