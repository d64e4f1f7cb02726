# SPDX-License-Identifier: GPL-3.0-or-later
"""One message for a sweep and a receiver: which transitions it tells, in which words. Pure functions.

Hosts choose part of what is told, so every text is made printable here, and escaped for its target where it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from fleetdiag.config import Receiver

MAX_ITEMS = 10
MAX_TEXT = 400
SCHEMA = "fleetdiag.news/1"
WORDS = {
    "new": "new",
    "regressed": "back again",
    "worse": "worse",
    "better": "better",
    "gone": "gone",
    "new_normal": "new normal",
    "left": "left the inventory",
    "superseded": "superseded",
    "skipped": "skipped",
    "coverage": "not covered",
}
"""The word of each transition, in the order in which they are told."""
_RANK = {"info": 0, "warning": 1, "critical": 2}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Message:
    """A message. key: the same for every try; document: the same as data, for command and webhook."""

    key: str
    subject: str
    body: str
    document: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        return asdict(self)


def clean(text: object, most: int = MAX_TEXT) -> str:
    """Return a text that neither forges a line nor hides anything, cut where it is too long."""
    shown = printable(str(text))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def told(news: Mapping[str, Any], receiver: Receiver, quiet: bool) -> list[Mapping[str, Any]]:
    """Return the transitions this receiver is told, in the order of their words; only critical ones while quiet."""
    least = _RANK["critical"] if quiet else _RANK[receiver.severity]
    chosen = [
        item
        for item in _mappings(news.get("transitions"))
        if item.get("tell") is True
        and _RANK.get(str(item.get("severity")), 0) >= least
        and (not receiver.transitions or item.get("transition") in receiver.transitions)
    ]
    order = list(WORDS)
    return sorted(chosen, key=lambda item: order.index(_word(item)) if _word(item) in order else len(order))


def of_news(
    news: Mapping[str, Any], receiver: Receiver, quiet: bool, report: str, before: Sequence[str] = ()
) -> Message | None:
    """Return the message for one receiver, None if there is nothing to tell it.

    report: path of the report. before: sentences that come first, as of messages that were given up.
    """
    items = told(news, receiver, quiet)
    if not items and not before:
        return None
    name = clean(news.get("name") or "", 80)
    return Message(
        key=_key(news, receiver, items),
        subject=_subject(name, items),
        body="\n".join(_body(news, items, report, before)) + "\n",
        document={
            "schema": SCHEMA,
            "sweep": name,
            "run": str(news.get("sweep", "")),
            "slot": str(news.get("slot", "")),
            "report": report,
            "transitions": [dict(item) for item in items],
            "coverage": news.get("coverage") or {},
            "notes": list(before),
        },
    )


def simple(name: str, what: str, lines: Sequence[str], key: str) -> Message:
    """Return a message about a sweep itself: it failed, was skipped, or this is a test."""
    subject = f"[fleetdiag {clean(name, 80)}] {clean(what, 160)}"
    document = {"schema": SCHEMA, "sweep": clean(name, 80), "notes": [clean(line) for line in (what, *lines)]}
    return Message(key, subject, "\n".join([clean(what), *map(clean, lines)]) + "\n", document)


def is_quiet(times: Sequence[str], now: datetime) -> bool:
    """Return whether `now`, a local time, lies in one of the quiet times (`Sun 02:00..04:00`, `22:00..24:00`)."""
    minute = f"{now:%H:%M}"
    for text in times:
        day, _, span = text.rpartition(" ")
        start, _, end = span.partition("..")
        if not day and start > end:  # over midnight
            if minute >= start or minute < end:
                return True
        elif day in ("", _DAYS[now.weekday()]) and start <= minute < end:
            return True
    return False


def _subject(name: str, items: Sequence[Mapping[str, Any]]) -> str:
    counts = {word: sum(_word(item) == word for item in items) for word in WORDS}
    parts = [f"{count} {WORDS[word]}" for word, count in counts.items() if count]
    first = f": {clean(items[0].get('sentence', ''), 120)}" if items else ""
    return f"[fleetdiag {name}] {', '.join(parts) or 'notes'}{first}"


def _body(
    news: Mapping[str, Any], items: Sequence[Mapping[str, Any]], report: str, before: Sequence[str]
) -> Iterator[str]:
    yield from map(clean, before)
    for item in items[:MAX_ITEMS]:
        word = WORDS.get(_word(item), _word(item))
        yield f"{clean(word, 40).upper()}  {clean(item.get('severity', ''), 10)}  {clean(item.get('sentence', ''))}"
        facts = [("since", item.get("since")), ("last normal", item.get("last_normal"))]
        shown = [f"{label} {clean(value, 80)}" for label, value in facts if value]
        if shown:
            yield f"    {', '.join(shown)}"
    if len(items) > MAX_ITEMS:
        hosts = {host for item in items[MAX_ITEMS:] for host in _hosts(item)}
        yield f"and {len(items) - MAX_ITEMS} more, on {plural(len(hosts), 'host')}"
    coverage = news.get("coverage")
    if isinstance(coverage, Mapping) and coverage.get("unknown"):
        unknown = [clean(host, 80) for host in coverage["unknown"]]
        more = f" and {len(unknown) - MAX_ITEMS} more" if len(unknown) > MAX_ITEMS else ""
        yield f"not covered, so nothing is known of: {', '.join(unknown[:MAX_ITEMS])}{more}"
    yield ""
    yield f"report: {clean(report, 1000)}"


def _hosts(item: Mapping[str, Any]) -> list[str]:
    """Return the hosts that a transition is about."""
    found = item.get("hosts")
    return [str(host) for host in found] if isinstance(found, list) and found else [str(item.get("who"))]


def _key(news: Mapping[str, Any], receiver: Receiver, items: Sequence[Mapping[str, Any]]) -> str:
    parts = [str(news.get("sweep")), receiver.name, *(str(item.get("fingerprint")) for item in items)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _word(item: Mapping[str, Any]) -> str:
    return str(item.get("transition", ""))


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
