# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a builder's turn: what it made is recorded, and what it could not is for the next one.

Each module of a KernelBuild says its own builder, because several may share the modules of one kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import diagnosis
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import builds
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    FAILED,
    KernelBuild,
    ModuleBuild,
    Tried,
)

REMEDY = "see to the builder, then sweep again"


@dataclass
class Turn:
    """One builder's try. stap: its version. wanted: names of the modules asked of it. entries: what came of each.

    trouble: why it made nothing, as a clause about the builder; remedy: what to do about that. lacks: it could not be
    given all it needs, so that even a fault in a script may be its own. wanting: probes that want
    more than the kernel's headers have. ours: the trouble is the controller's (its disk
    is full), which no other builder would change.
    """

    builder: str
    stap: str
    wanted: list[str] = field(default_factory=list)
    entries: dict[str, ModuleBuild] = field(default_factory=dict)
    trouble: str = ""
    remedy: str = ""
    lacks: bool = False
    wanting: list[str] = field(default_factory=list)
    ours: bool = False

    @property
    def left(self) -> list[str]:
        """Return the modules left to another builder: all if this one made none, else those that no script made fail."""
        if self.trouble:
            return [name for name in self.wanted if name not in self.entries]
        failed = [name for name in self.wanted if self.entries[name].failed]
        if self.lacks or len(failed) == len(self.wanted):
            return failed
        return [name for name in failed if not diagnosis.of_script(self._said(name))]

    @property
    def why(self) -> str:
        """Return one clause that says why something is left."""
        return self.trouble or (builds.headline(self._said(self.left[0])) if self.left else "")

    def _said(self, name: str) -> str:
        module = self.entries[name]
        return module.said or module.error


def recorded(
    before: KernelBuild | None, turn: Turn, builders: Sequence[str], *, kernel: str, whole: bool
) -> tuple[KernelBuild, str]:
    """Return the kernel's record after a turn, and the builder to take over; "" when nothing is left or nobody.

    builders: in the order in which they are asked. whole: this share of the work is all the kernel needs.
    """
    record = replace(before or KernelBuild(), kernel=kernel)
    left = turn.left
    following = _following(builders, turn.builder) if left and not turn.ours else ""
    made = {
        name: replace(module, builder=turn.builder, stap=turn.stap)
        for name, module in turn.entries.items()
        if not (following and name in left)
    }
    record = replace(record, probes={**record.probes, **made})
    if left:
        record = replace(record, tried=(*record.tried, Tried(turn.builder, turn.why)))
    if not record.builder or (not left and record.tried):
        record = replace(record, builder=turn.builder, stap=turn.stap)
    return _given_up(record, turn, left, whole=whole) if left and not following else record, following


def _given_up(record: KernelBuild, turn: Turn, left: Sequence[str], *, whole: bool) -> KernelBuild:
    """Return the record when nobody is left to ask."""
    reasons = "; ".join(f"{one.builder}: {one.reason}" for one in record.tried)
    several = len(record.tried) > 1
    if turn.trouble and whole and not set(record.probes) - {SMOKE}:
        error = reasons if several else turn.trouble
        return replace(record, probes={}, error=error, remedy=turn.remedy or REMEDY)
    modules = dict(record.probes)
    for name in left:
        module = modules.get(name)
        if module is None:
            modules[name] = ModuleBuild(
                FAILED, seconds=0.0, error=reasons, builder=turn.builder, stap=turn.stap
            )
        elif several:
            modules[name] = replace(module, error=f"{module.error}\n(no builder could: {reasons})")
    return replace(record, probes=modules)


def _following(builders: Sequence[str], builder: str) -> str:
    position = list(builders).index(builder) if builder in builders else len(builders)
    return (*builders[position + 1 :], "")[0]
