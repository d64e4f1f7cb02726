# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab, booted once for all integration tests and left as it was found."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import PROGRAMS, Fleet, fleet, lacking
from loopsweeps import HOSTS, PROBES, sweep
from sweeps import MANIFEST, SCRIPTS

from fleetdiag.lab import boot, model


@pytest.fixture(scope="session")
def lab() -> Iterator[model.Lab]:
    """builder, web1, web2 (6.12), web3 (7.x), old1 (Debian 12, cannot be probed) and ghost (answers nobody)."""
    was_running = bool(boot.running().machines)
    machines = boot.up(with_old=True, with_ghost=True)
    yield machines
    if not was_running and "FLEETDIAG_KEEP_LAB" not in os.environ:
        boot.down()


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of one's own, with the probes of sweeps.SCRIPTS."""
    folder = tmp_path_factory.mktemp("catalog")
    for name, script in SCRIPTS.items():
        (folder / name).mkdir()
        (folder / name / f"{name}.stp").write_text(script)
        (folder / name / "probe.yml").write_text(MANIFEST.format(name))
    return folder


@pytest.fixture
def never_built(tmp_path: Path) -> Path:
    """A catalog with the probe `fresh`, which was never compiled and which no host can be remembered for."""
    folder = tmp_path / "catalog" / "fresh"
    folder.mkdir(parents=True)
    (folder / "fresh.stp").write_text(f"# {uuid.uuid4()}\n{SCRIPTS['tick']}")
    (folder / "probe.yml").write_text(MANIFEST.format("fresh"))
    return folder.parent


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three hosts that were swept once, so that all is known of them."""
    if lacking():
        pytest.skip(f"needs root and {', '.join(PROGRAMS)}")
    folder = tmp_path_factory.mktemp("fleet")
    with fleet(folder, HOSTS) as made:
        made.build(list(PROBES))
        runs = folder / "first"
        # These sessions cannot be told their window later: how quick is this machine?
        for ahead in (30, 90, 270):
            done = sweep(made, runs, sweep_start=round(time.time()) + ahead)
            if len(list(made.folder.glob("state/fleetdiag/hosts/*.json"))) == HOSTS:
                break
        else:
            pytest.fail(done.stdout + done.stderr)
        yield made
