# SPDX-License-Identifier: GPL-3.0-or-later
"""The week's summary: what ran, what is open, what was held back. Sent to receivers that ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.config import Config, Receiver
from fleetdiag.notify import deliver, outbox, summary
from fleetdiag.notify.message import MAX_ITEMS, Message, clean, simple
from fleetdiag.notify.summary import FINDINGS, FINE, INCOMPLETE, MISSED, SKIPPED, Summary
from fleetdiag.schedule import clock

STATE = "digests.json"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def body(config: Config, now: float) -> str:
    """Return the summary of the seven days before `now`, for all named sweeps."""
    return "\n".join(lines([summary.of(sweep, now) for sweep in config.sweeps.values()], now)) + "\n"


def lines(sweeps: Sequence[Summary], now: float) -> Iterator[str]:
    """Yield the lines: how many slots were swept, what is open, what happened, what was not seen."""
    since = clock.iso(now - clock.WEEK_S)
    week = datetime.fromtimestamp(now).astimezone().isocalendar().week
    ran = [_ran(sweep, since) for sweep in sweeps]
    yield f"fleetdiag, week {week}: {', '.join(ran) or 'no named sweeps'}"
    found = [(sweep, item) for sweep in sweeps for item in sweep.open()]
    yield f"open     {_counted(item for _, item in found)}"
    for sweep, item in found[:MAX_ITEMS]:
        since_ = f", since {clean(item['since'], 40)}" if item.get("since") else ""
        ack = " (acknowledged)" if item.get("ack") else ""
        yield f"         {sweep.name}: {clean(item.get('sentence', ''))}{since_}{ack}"
    if len(found) > MAX_ITEMS:
        yield f"         and {len(found) - MAX_ITEMS} more"
    told = [item for sweep in sweeps for item in _transitions(sweep, since)]
    yield f"news     {_words(told)}"
    suspects = [(sweep, item) for sweep in sweeps for item in summary.listed(sweep.news, "suspects")]
    for sweep, item in suspects[:MAX_ITEMS]:
        what = ".".join(clean(item.get(key, ""), 60) for key in ("probe", "table", "measure"))
        host = clean(item.get("who") or "all hosts", 80)
        yield f"watch    {sweep.name}: {host} {what}, {clean(item.get('ratio', ''), 10)} times as usual (not told yet)"
    for sweep in sweeps:
        unknown = [clean(host, 80) for host in _unknown(sweep)]
        if unknown:
            more = f" and {len(unknown) - MAX_ITEMS} more" if len(unknown) > MAX_ITEMS else ""
            yield f"unseen   {sweep.name}: {', '.join(unknown[:MAX_ITEMS])}{more}"
    for sweep in sweeps:
        for mark in [mark for mark in sweep.marks if mark.when >= since and mark.status == SKIPPED][-3:]:
            yield f"skipped  {sweep.name} {mark.when}: {clean(mark.reason)}"
    held = [entry for place in {sweep.runs_dir for sweep in sweeps} for entry in _held(place, now)]
    for entry in held[:MAX_ITEMS]:
        yield f"held     {entry.receiver}: {clean(entry.message.subject)}"


def send_due(config: Config, runs_dir: Path, now: float) -> None:
    """Send the digest to each receiver whose time has come since it was last sent one."""
    asking = [receiver for receiver in config.receivers.values() if receiver.digest]
    if not asking:
        return
    with write.locked(runs_dir):
        state = _read(runs_dir / STATE)
        for receiver in asking:
            due = latest(receiver.digest, now)
            before = state.get(receiver.name)
            # The first one is due a week after the receiver was named.
            if before is None or (before < due and _send(config, receiver, now)):
                state[receiver.name] = due
        temporary = runs_dir / f".{STATE}.tmp"
        temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
        temporary.replace(runs_dir / STATE)


def latest(text: str, now: float) -> float:
    """Return the last time that `Mon 08:00` was before `now`, in the local zone."""
    day, _, time = text.partition(" ")
    hour, minute = map(int, time.split(":"))
    local = datetime.fromtimestamp(now)
    due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    due -= timedelta(days=(local.weekday() - _DAYS.index(day)) % 7)
    return (due if due <= local else due - timedelta(days=7)).timestamp()


def _send(config: Config, receiver: Receiver, now: float) -> bool:
    first, *rest = body(config, now).splitlines()
    key = f"digest-{receiver.name}-{int(latest(receiver.digest, now))}"
    made = simple("digest", first.removeprefix("fleetdiag, "), rest, key)
    made = Message(made.key, made.subject, "\n".join([first, *rest]) + "\n", made.document)
    return any(deliver.run(receiver.kind, receiver.settings, made.as_dict())[0] for _ in range(outbox.TRIES))


def _ran(sweep: Summary, since: str) -> str:
    counts = sweep.counts(since)
    done = counts[FINE] + counts[FINDINGS] + counts[INCOMPLETE]
    whole = done + counts[SKIPPED] + counts[MISSED]
    left = [f"{counts[status]} {status}" for status in (INCOMPLETE, SKIPPED, MISSED) if counts[status]]
    return f"{sweep.name} {done} of {whole}" + (f" ({', '.join(left)})" if left else "")


def _counted(items: Iterator[Mapping[str, Any]]) -> str:
    found = [str(item.get("severity")) for item in items]
    parts = [
        f"{found.count(level)} {level}" for level in ("critical", "warning", "info") if found.count(level)
    ]
    return ", ".join(parts) or "nothing"


def _transitions(sweep: Summary, since: str) -> Iterator[Mapping[str, Any]]:
    for mark in sweep.marks:
        if mark.run and mark.when >= since:
            yield from summary.listed(summary.news_of(sweep.runs_dir / mark.run), "transitions")


def _words(items: Sequence[Mapping[str, Any]]) -> str:
    words = [clean(item.get("transition", ""), 20).replace("_", " ") for item in items]
    quiet = sum(item.get("tell") is not True for item in items)
    parts = [f"{words.count(word)} {word}" for word in dict.fromkeys(words)]
    return (", ".join(parts) or "none") + (f"; not told: {quiet}" if quiet else "")


def _unknown(sweep: Summary) -> list[str]:
    found = sweep.news.get("coverage")
    hosts = found.get("unknown") if isinstance(found, Mapping) else None
    if isinstance(hosts, list):
        return [str(host) for host in hosts]
    return [host for host, status in summary.coverage(sweep.last).items() if status not in summary.PROBED]


def _held(runs_dir: Path, now: float) -> Iterator[outbox.Entry]:
    for run_dir in outbox.runs(runs_dir):
        for entry in outbox.read(run_dir):
            if entry.state == outbox.HELD and entry.created >= now - clock.WEEK_S:
                yield entry


def _read(path: Path) -> dict[str, float]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = data.items() if isinstance(data, dict) else ()
    return {str(name): float(value) for name, value in found if isinstance(value, (int, float))}
