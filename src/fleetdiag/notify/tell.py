# SPDX-License-Identifier: GPL-3.0-or-later
"""After a named sweep: put what is news into the outbox, deliver it, and try again what was not delivered before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.config import DAY_S, Config, NamedSweep, Receiver
from fleetdiag.notify import message, outbox

NEWS = "news.json"
SKIPS = 2
"""Slots skipped in a row of which receivers are told."""


def finished(config: Config, sweep: NamedSweep, run_dir: Path, now: Callable[[], float] = time.time) -> None:
    """Tell every receiver of a sweep what is new in a run, then retry older messages of the same place."""
    news = read.read_json(run_dir, NEWS) or {}
    entries = [
        entry
        for receiver in receivers(config, sweep)
        if (entry := _entry(sweep, receiver, news, run_dir, now())) is not None
    ]
    outbox.add(run_dir, entries)
    outbox.send(run_dir, config.receivers, now)
    retry(config, run_dir.parent, now, but=run_dir)


def retry(
    config: Config, runs_dir: Path, now: Callable[[], float] = time.time, but: Path | None = None
) -> None:
    """Try once more what is pending in earlier runs."""
    for run_dir in dict.fromkeys(
        run_dir for run_dir, entry in outbox.pending(runs_dir) if _is_pending(entry)
    ):
        if run_dir != but:
            outbox.send(run_dir, config.receivers, now, tries=1)


def receivers(config: Config, sweep: NamedSweep) -> list[Receiver]:
    """Return the receivers that a sweep names."""
    return [config.receivers[name] for name in dict.fromkeys(sweep.texts("notify"))]


def skipped(sweep: NamedSweep, runs_dir: Path) -> message.Message | None:
    """Return the message about slots that were skipped twice in a row, exactly when the second one is."""
    mine = [slot for slot in slots.read(runs_dir) if slot.name == sweep.name and slot.status == "skipped"]
    order = sorted(slots.known(runs_dir, sweep.name))
    row = 0
    for slot in reversed(order):
        if slot not in {one.slot for one in mine}:
            break
        row += 1
    if row != SKIPS:
        return None
    lines = [f"{slot.slot}: {slot.reason}" for slot in mine[-SKIPS:]]
    return message.simple(
        sweep.name, f"skipped {SKIPS} times in a row", lines, f"skipped-{sweep.name}-{order[-1]}"
    )


def _entry(
    sweep: NamedSweep, receiver: Receiver, news: Mapping[str, Any], run_dir: Path, now: float
) -> outbox.Entry | None:
    local = datetime.fromtimestamp(now).astimezone()
    quiet = message.is_quiet(sweep.texts("quiet"), local)
    lost = outbox.untold(run_dir.parent, receiver.name)
    before = _lost(lost)
    made = message.of_news(news, receiver, quiet, str(run_dir / "report.html"), before)
    if made is None:
        return None
    critical = any(item.get("severity") == "critical" for item in message.told(news, receiver, quiet))
    full = outbox.sent_since(run_dir.parent, receiver.name, now - DAY_S) >= outbox.MAX_PER_DAY
    held = full and not critical
    if not held:
        outbox.mark_told(lost)
    return outbox.Entry(receiver.name, made, now, critical, outbox.HELD if held else outbox.PENDING)


def _lost(found: Sequence[tuple[Path, outbox.Entry]]) -> list[str]:
    """Say which earlier messages never arrived."""
    if not found:
        return []
    subjects = [entry.message.subject for _, entry in found]
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return [
        f"{plural(len(found), 'earlier message')} could not be delivered: {'; '.join(subjects[:3])}{more}"
    ]


def _is_pending(entry: outbox.Entry) -> bool:
    return entry.state == outbox.PENDING
