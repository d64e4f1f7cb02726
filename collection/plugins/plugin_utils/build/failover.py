# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a builder's turn: what it made is recorded, and what it could not is for the next one.

builds/<kernel>.json is `{kernel, builder, stap, probes: {name: entry}, error, remedy, tried: [{builder, reason}]}`.
Each entry says its own builder, because several may share the modules of one kernel. `error` says why there is
nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import diagnosis
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import builds

REMEDY = "see to the builder, then sweep again"


@dataclass
class Turn:
    """One builder's try. stap: its version. wanted: names of the modules asked of it. entries: what came of each.

    trouble: why it made nothing, as a clause about the builder; remedy: what to do about that. lacks: it could not be
    given all it needs, so that even a fault in a script may be its own. ours: the trouble is the controller's (its disk
    is full), which no other builder would change.
    """

    builder: str
    stap: str
    wanted: list[str] = field(default_factory=list)
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: str = ""
    remedy: str = ""
    lacks: bool = False
    ours: bool = False

    @property
    def left(self) -> list[str]:
        """What another builder may make: all, if this one made nothing, else what failed by no fault of the script."""
        if self.trouble:
            return [name for name in self.wanted if name not in self.entries]
        failed = [name for name in self.wanted if self.entries[name]["status"] == "failed"]
        if self.lacks or len(failed) == len(self.wanted):
            return failed
        return [name for name in failed if not diagnosis.of_script(self._said(name))]

    @property
    def why(self) -> str:
        """One clause: why something is left."""
        return self.trouble or (builds.headline(self._said(self.left[0])) if self.left else "")

    def _said(self, name: str) -> str:
        entry = self.entries[name]
        return str(entry.get("said") or entry["error"])


def recorded(
    before: Mapping[str, Any] | None, turn: Turn, builders: Sequence[str], *, kernel: str, whole: bool
) -> tuple[dict[str, Any], str]:
    """The kernel's record after a turn, and the builder that is to take over; empty when nothing is left or nobody.

    builders: in the order in which they are asked. whole: this share of the work is all the kernel needs.
    """
    record: dict[str, Any] = dict(
        before or {"kernel": kernel, "builder": "", "stap": "", "probes": {}, "error": ""}
    )
    record["probes"] = dict(record["probes"])
    left = turn.left
    following = _following(builders, turn.builder) if left and not turn.ours else ""
    for name, entry in turn.entries.items():
        if not (following and name in left):
            record["probes"][name] = {**entry, "builder": turn.builder, "stap": turn.stap}
    if left:
        record["tried"] = [*record.get("tried", []), {"builder": turn.builder, "reason": turn.why}]
    if not record["builder"] or (not left and record.get("tried")):
        record.update(builder=turn.builder, stap=turn.stap)
    if left and not following:
        _give_up(record, turn, left, whole=whole)
    return record, following


def _give_up(record: dict[str, Any], turn: Turn, left: Sequence[str], *, whole: bool) -> None:
    """Nobody is left to ask."""
    tried = record["tried"]
    reasons = "; ".join(f"{item['builder']}: {item['reason']}" for item in tried)
    if turn.trouble and whole and not set(record["probes"]) - {SMOKE}:
        record.update(
            probes={}, error=reasons if len(tried) > 1 else turn.trouble, remedy=turn.remedy or REMEDY
        )
        return
    for name in left:
        entry = record["probes"].get(name)
        if entry is None:
            entry = {"status": "failed", "sha256": "", "bytes": 0, "seconds": 0.0, "error": "", "line": None}
            record["probes"][name] = {**entry, "error": reasons, "builder": turn.builder, "stap": turn.stap}
        elif len(tried) > 1:
            record["probes"][name] = {**entry, "error": f"{entry['error']}\n(no builder could: {reasons})"}


def _following(builders: Sequence[str], builder: str) -> str:
    position = list(builders).index(builder) if builder in builders else len(builders)
    return (*builders[position + 1 :], "")[0]
