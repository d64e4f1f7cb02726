# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` with every supported ansible-core on what is shipped, without an entry in any ignore file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_PYTHON = 75  # the exit code of tools/sanity.sh where no Python here runs that ansible-core
TESTS = 24

pytestmark = pytest.mark.skipif(
    "FLEETDIAG_TEST_SANITY" not in os.environ, reason="a quarter of an hour; make test-sanity"
)


@pytest.mark.parametrize("core", ["2.19", "2.20", "2.21"])
def test_sanity(core: str) -> None:
    done = subprocess.run(
        [str(ROOT / "tools" / "sanity.sh")],
        env={**os.environ, "CORE": core},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == NO_PYTHON:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout[-6000:]
    assert len(set(re.findall(r'Running sanity test "([^"]+)"', done.stdout))) == TESTS
    assert not list((ROOT / "collection").glob("tests/sanity/ignore*"))
