# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers answered, added to balancers.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import mapping
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import (
    Answer,
    BalancersRecord,
    Moment,
    MomentRecord,
)


def added(
    before: BalancersRecord | None,
    *,
    moment: Moment,
    batch: int,
    now: float,
    results: Mapping[str, Any],
    weight: str = "",
    servers: Mapping[str, str] | None = None,
    ttl_s: int = 0,
    probe_unfit: bool = False,
) -> BalancersRecord:
    """Return balancers.json with one more moment. results: by balancer what the role `drain` keeps of it.

    weight, servers: what is lowered, {host: its name in the balancers}; ttl_s: when a balancer gives it back by itself.
    probe_unfit: hosts whose weight cannot be lowered are probed all the same.
    """
    known, lowered = before or BalancersRecord(), servers or {}
    answers = {str(name): Answer.from_json(mapping(results, name)) for name in results}
    said = {name: answer.at(moment) for name, answer in answers.items()}
    known = replace(known, weight=weight or known.weight, servers={**known.servers, **lowered})
    entry = MomentRecord(moment, batch, round(now, 3), said)
    if moment == "lowered":
        timed = {
            name: replace(answer, until=round(now + ttl_s)) if answer.weights else answer
            for name, answer in said.items()
        }
        entry = replace(entry, balancers=timed, hosts=tuple(lowered))
        unfit = _unfit(answers, lowered)
        if probe_unfit:
            known = replace(known, full_weight={**known.full_weight, **unfit})
        else:
            known = replace(known, left_out={**known.left_out, **unfit})
    return replace(known, moments=(*known.moments, entry))


def _unfit(answers: Mapping[str, Answer], servers: Mapping[str, str]) -> dict[str, str]:
    """Return {host: why its weight was not lowered}. Where one balancer had trouble, none was lowered on any."""
    trouble = next((answer.trouble for answer in answers.values() if answer.trouble), "")
    refused: dict[str, str] = {}
    for answer in answers.values():
        refused = {**answer.refused, **refused}
    prefix = "it cannot be given less traffic: "
    return {
        host: prefix + (refused.get(name) or trouble)
        for host, name in servers.items()
        if name in refused or trouble
    }
