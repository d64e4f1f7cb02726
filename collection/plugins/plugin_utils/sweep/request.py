# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of a sweep: its id, its hosts and their peer sets, as sweep.json keeps it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import series
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ProbeRecord,
    SweepRecord,
)


def new_id(now: datetime) -> str:
    """Return a sweep id, safe in file, unit and kernel module names: `20261123_071502_1f3a` (UTC)."""
    return f"{now.astimezone(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"


def new_sweep(
    *,
    now: datetime,
    version: str,
    probes: Sequence[Probe],
    values: Mapping[str, Mapping[str, object]],
    window_s: int,
    hosts: Sequence[str],
    peers: Mapping[str, str],
    conditions: Mapping[str, Any],
) -> SweepRecord:
    """Return sweep.json: what was asked, with the text of each script that is in no catalog.

    values: checked parameters per probe; peers: see `peer_sets`.
    """
    hashes = {
        probe.name: series.of_probe(
            policy.text_of(probe.script) if probe.script else "", probe.manifest, values.get(probe.name, {})
        )
        for probe in probes
    }
    return SweepRecord(
        id=new_id(now),
        created=now.astimezone(UTC).isoformat(timespec="seconds"),
        fleetdiag=version,
        window_s=window_s,
        hosts=tuple(hosts),
        peers={host: peers.get(host, "") for host in hosts},
        probes=tuple(
            ProbeRecord(
                name=probe.name,
                manifest=probe.manifest,
                parameters=values.get(probe.name, {}),
                nonce=secrets.token_hex(8),
                hash=hashes[probe.name],
                script=policy.text_of(probe.script) if probe.unmodified and probe.script else None,
            )
            for probe in probes
        ),
        series=series.of_sweep(hashes.values(), window_s),
        conditions=conditions,
    )


def peer_sets(
    hosts: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    depths: Mapping[str, int],
    named: Mapping[str, str],
) -> dict[str, str]:
    """Return {host: name of the set of hosts it should be like}, "" for those that are in no group.

    named: what the inventory says itself (variable sweep_peers). Else it is the deepest of the host's groups,
    of those the one with most hosts of the inventory: `web` below `site`, and `web` rather than `room_b`. So the
    sets do not depend on which of the hosts are swept, or on how they are dealt out to shards.
    """
    sizes = Counter(group for named_groups in groups.values() for group in named_groups)

    def rank(group: str) -> tuple[int, int, str]:
        return -depths.get(group, 0), -sizes[group], group

    return {host: named.get(host) or min(groups.get(host, ()), key=rank, default="") for host in hosts}
