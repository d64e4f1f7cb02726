# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers answered, added to balancers.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import mapping
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import KEPT as _KEPT
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import Moment


def added(
    data: Mapping[str, Any] | None,
    *,
    moment: Moment,
    batch: int,
    now: float,
    results: Mapping[str, Any],
    weight: str = "",
    servers: Mapping[str, str] | None = None,
    ttl_s: int = 0,
    probe_unfit: bool = False,
) -> dict[str, Any]:
    """balancers.json with one more moment. results: by balancer what the role `drain` keeps of it.

    weight, servers: what is lowered, {host: its name in the balancers}; ttl_s: when a balancer gives it back by itself.
    probe_unfit: hosts whose weight cannot be lowered are probed all the same.
    """
    known = dict(data or {"weight": weight, "servers": {}, "moments": []})
    known["weight"] = weight or known.get("weight", "")
    known["servers"] = {**mapping(known, "servers"), **(servers or {})}
    said = {str(name): _kept(mapping(results, name), moment) for name in results}
    entry: dict[str, Any] = {"moment": moment, "batch": batch, "t": round(now, 3), "balancers": said}
    if moment == "lowered":
        entry["hosts"] = list(servers or {})
        for answer in said.values():
            if answer.get("weights"):
                answer["until"] = round(now + ttl_s)
        unfit = _unfit(results, servers or {})
        if unfit:
            key = "full_weight" if probe_unfit else "left_out"
            known[key] = {**mapping(known, key), **unfit}
    known["moments"] = [*known.get("moments", []), entry]
    return known


def _kept(said: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
    """Of a task's result what is worth keeping."""
    names = (*_KEPT.get(moment, ()), "servers")
    kept = {name: said[name] for name in names if name in said}
    return {**kept, **({"trouble": str(said["trouble"])} if said.get("trouble") else {})}


def _unfit(results: Mapping[str, Any], servers: Mapping[str, str]) -> dict[str, str]:
    """{host: why its weight was not lowered}. Where one balancer had trouble, none was lowered on any."""
    trouble = next((str(said["trouble"]) for said in results.values() if said.get("trouble")), "")
    refused: dict[str, str] = {}
    for said in results.values():
        refused = {**{str(name): str(why) for name, why in mapping(said, "unfit").items()}, **refused}
    prefix = "it cannot be given less traffic: "
    return {
        host: prefix + (refused.get(name) or trouble)
        for host, name in servers.items()
        if name in refused or trouble
    }
