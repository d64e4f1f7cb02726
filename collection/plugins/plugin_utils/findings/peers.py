# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts should be alike: the sets that the sweep recorded, over all its shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import SweepRecord


def recorded(sweep: SweepRecord, hosts: Iterable[str]) -> dict[str, str]:
    """Return {host: name of its set} as sweep.json says it.

    Sweeps from before sets were recorded have `groups` at best (a host may be in several: the largest counts),
    and where there is nothing, all hosts are one set without a name.
    """
    known = list(hosts)
    sets, groups = sweep.peers, sweep.groups
    if sets is not None:
        return {host: str(sets[host]) if isinstance(sets.get(host), str) else "" for host in known}
    if groups is None:
        return dict.fromkeys(known, "")
    members = {
        str(name): {item for item in listed if isinstance(item, str)}
        for name, listed in groups.items()
        if isinstance(listed, list)
    }

    def largest(host: str) -> str:
        mine = [name for name, listed in members.items() if host in listed]
        return min(mine, key=lambda name: (-len(members[name]), name), default="")

    return {host: largest(host) for host in known}


def sets(peers: Mapping[str, str]) -> dict[str, list[str]]:
    """Return {name: its hosts}, both sorted."""
    found: dict[str, list[str]] = {}
    for host in sorted(peers):
        found.setdefault(peers[host], []).append(host)
    return dict(sorted(found.items()))
