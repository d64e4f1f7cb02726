# SPDX-License-Identifier: GPL-3.0-or-later
"""What came back of the shards of a sweep: their run directories become parts of one, that of the sweep."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.runs import natural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import SHARDS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    EventRecord,
    SweepRecord,
)
from fleetdiag.run import playbook


@dataclass
class Shard:
    """One shard while it runs. run_dir: what came back of it; lost: why nothing did, or not all."""

    number: int
    hosts: list[str]
    worker: list[str]
    folder: Path
    run_dir: Path | None = None
    lost: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def own(self) -> Path:
        """Return the private data directory of a worker that runs here."""
        return self.folder / "worker"


def gathered(shards: Sequence[Shard], runs_dir: Path, stop: playbook.Stop) -> Path | None:
    """Return the run directory of the sweep, with those of the shards in it; hosts of a lost shard are lost there."""
    came = [shard for shard in shards if shard.run_dir is not None]
    if not came:
        if stop.requested:
            return None
        raise FleetdiagError("the sweep could not start: no shard came back; " + _reasons(shards))
    pattern = read.open_run(_run_dir_of(came[0])).request
    whole = _whole(runs_dir, pattern, shards)
    place = whole / SHARDS
    for shard in came:
        came_back = _run_dir_of(shard)
        shard.run_dir = Path(shutil.move(came_back, _free(place, came_back.name)))
    for shard in shards:
        if shard.lost or shard.run_dir is None:
            print(
                f"fleetdiag: shard {shard.number} ({_named(shard.hosts)}) is lost: {printable(shard.lost)}",
                file=sys.stderr,
            )
            home = shard.run_dir or _empty(place, pattern, shard)
            for host in shard.hosts:
                write.append_event(home, _lost(host, shard, stop))
    return whole


def _run_dir_of(shard: Shard) -> Path:
    assert shard.run_dir is not None
    return shard.run_dir


def _whole(runs_dir: Path, pattern: SweepRecord, shards: Sequence[Shard]) -> Path:
    """Make the run directory of the sweep: what was asked of one shard, with the hosts of all; return its path."""
    requests = [read.open_run(shard.run_dir).request for shard in shards if shard.run_dir is not None]
    peers = {host: peer_set for request in requests for host, peer_set in (request.peers or {}).items()}
    hosts = [host for request in requests for host in request.hosts]
    hosts += [host for shard in shards if shard.run_dir is None for host in shard.hosts]
    sweep = replace(pattern, hosts=tuple(sorted(hosts, key=natural)), peers=peers)
    while (runs_dir / sweep.id).exists():
        sweep = replace(sweep, id=_another(pattern.id))
    return write.create(runs_dir, sweep.to_json(), folders=(SHARDS,))


def _lost(host: str, shard: Shard, stop: playbook.Stop) -> EventRecord:
    why = "the sweep was interrupted" if stop.requested else shard.lost
    return EventRecord(time.time(), host, phase="shard", status="lost", message=why)


def _empty(place: Path, pattern: SweepRecord, shard: Shard) -> Path:
    """Make a run directory of the same sweep with the hosts of a shard of which there is none; return its path."""
    sweep = replace(pattern, hosts=tuple(shard.hosts), peers={})
    while (place / sweep.id).exists():
        sweep = replace(sweep, id=_another(pattern.id))
    return write.create(place, sweep.to_json())


def _free(place: Path, name: str) -> Path:
    """Return a path that is free: two shards may have chosen the same name in the same second."""
    path = place / name
    while path.exists():
        path = place / _another(name)
    return path


def _another(name: str) -> str:
    """Return the name of a run directory of the same second."""
    return name[:-4] + secrets.token_hex(2)


def _reasons(shards: Sequence[Shard]) -> str:
    return "; ".join(f"shard {shard.number}: {printable(shard.lost)}" for shard in shards)


def _named(hosts: Sequence[str]) -> str:
    names = ", ".join(map(printable, hosts[:3]))
    return names if len(hosts) <= 3 else f"{names} and {len(hosts) - 3} more"
