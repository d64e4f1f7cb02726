# SPDX-License-Identifier: GPL-3.0-or-later
"""balancers.json: which hosts were to be lowered, and what balancers still owe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import mapping, number, text

FILE = "balancers.json"
_WEIGHT = re.compile(r"(100|[0-9]{1,2})%|[0-9]{1,3}")


def check_weight(given: str, option: str) -> None:
    """FleetdiagError where `given` is neither empty nor a weight. Errors name the option."""
    if given and not _WEIGHT.fullmatch(given):
        raise FleetdiagError(f"{option}: {given!r} is no weight; say 50% of what it is, or a number to 256")


def why_not(data: Mapping[str, Any] | None, host: str) -> str:
    """Why this host was not probed because its weight could not be lowered; else empty."""
    return text(mapping(data or {}, "left_out"), host)




@dataclass(frozen=True)
class Owed:
    """A weight that could not be given back. weight: what it was before; None where that was not told."""

    label: str
    weight: float | None
    why: str


def owed(said: Mapping[str, Any]) -> list[Owed]:
    """What one balancer's answer says is still lowered. Older answers have it in `left`, where the reason tells."""
    found = [
        Owed(str(label), number(one, "weight"), text(one, "why"))
        for label, one in ((label, mapping(mapping(said, "owed"), label)) for label in mapping(said, "owed"))
    ]
    older = [
        Owed(str(label), None, str(why))
        for label, why in mapping(said, "left").items()
        if "owed" not in said and not is_of_others(why)
    ]
    return found + older


def left(said: Mapping[str, Any]) -> dict[str, str]:
    """{label: why it was left alone}, of what one balancer's answer says is somebody else's now."""
    return {
        str(label): str(why)
        for label, why in mapping(said, "left").items()
        if "owed" in said or is_of_others(why)
    }


def gave_back(said: Mapping[str, Any]) -> bool:
    """Whether it is an answer to being asked for weights, and not of one that could not."""
    return not text(said, "trouble") and any(name in said for name in KEPT["restored"])


def is_of_others(why: object) -> bool:
    return str(why).startswith("its weight is ") or "No such " in str(why)

Moment = Literal["sweep", "before", "lowered", "start", "end", "restored", "after"]
MOMENTS: tuple[Moment, ...] = ("sweep", "before", "lowered", "start", "end", "restored", "after")
KEPT: Mapping[str, tuple[str, ...]] = {
    "lowered": ("weights", "settled", "unfit", "owed"),
    "restored": ("weights", "left", "owed"),
}
