# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the integration tests, and which of these tests may run side by side.

Tests of one group run one after the other in one process; `pytest -n 3 --no-loadscope-reorder` runs groups side by side.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import groups
import pytest
from loopback import PROGRAMS, Fleet, fleet, lacking
from loopsweeps import HOSTS, PROBES, sweep
from sweeps import MANIFEST, SCRIPTS

from fleetdiag.lab import boot, model


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> groups.Scheduling:
    """Let groups of files run side by side."""
    return groups.Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the group that lasts longest; leave what takes long to those who ask for it."""
    items.sort(key=lambda item: groups.turn(item.path))
    for item in items:
        long = item.get_closest_marker("long")
        if long is not None and "FLEETDIAG_TEST_LONG" not in os.environ:
            item.add_marker(pytest.mark.skip(reason=f"{long.args[0]}; make test-long"))


@pytest.fixture(scope="session")
def _lab_as_found() -> Iterator[None]:
    """End the lab after the last test, unless it ran before the first one or FLEETDIAG_KEEP_LAB is set."""
    keep = "FLEETDIAG_KEEP_LAB" in os.environ
    if "PYTEST_XDIST_WORKER" in os.environ and not keep:
        boot.down()  # the lab of this process alone, which a run that was killed has left
    keep = keep or bool(boot.running().machines)
    boot.prepare(with_old=True)  # the same builder for all labs, also where the cache is empty
    yield
    if not keep:
        boot.down()


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, _lab_as_found: None) -> model.Lab:
    """Return the lab with the machines that this file needs; those that run are kept.

    All of them: builder, web1, web2 (6.12), web3 (7.x), old1 (Debian 12, cannot be probed) and ghost (answers nobody).
    """
    names = groups.machines(request.path)
    return boot.up(names or None, with_old=not names, with_ghost=not names)


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


@pytest.fixture
def hosts(_swept_hosts: Fleet) -> Iterator[Fleet]:
    """Return three hosts that were swept once, so that all is known of them; what a test leaves there is removed."""
    yield _swept_hosts
    _swept_hosts.clear()


@pytest.fixture(scope="session")
def _swept_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if lacking():
        pytest.skip(f"needs root and {', '.join(PROGRAMS)}")
    folder = tmp_path_factory.mktemp("fleet")
    with fleet(folder, HOSTS) as made:
        made.build(list(PROBES))
        done = sweep(made, folder / "first")
        assert len(list(made.folder.glob("state/fleetdiag/hosts/*.json"))) == HOSTS, done.stdout + done.stderr
        yield made
