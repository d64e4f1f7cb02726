# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals of one cause -> the sentence an on-call engineer reads.

`web3: 14 files open longer than 1 s; the other 5 hosts: 0. Longest 8.47 s: /var/www/html/x.html (httpd)`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures, limits, phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.candidates import Signal
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import stacks
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.order import sort_measure
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedRow
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

MAX_ALSO = 3
CALLERS = 4
_LARGEST = {"duration": "Longest", "bytes": "Largest"}
_SMALLEST = {"duration": "Shortest", "bytes": "Smallest"}


def write(signal: Signal, also: Sequence[Signal] = (), more_hosts: Sequence[Signal] = ()) -> str:
    """Return the whole sentence, and those that follow it.

    also: what else stands out there. more_hosts: of each host that shows the same, what it has.
    """
    parts = [f"{printable(signal.host)}: {in_short(signal)}", *_details(signal), *_also(signal, also)]
    if more_hosts:
        count = plural(len(more_hosts), "more host")
        parts.append(f"The same on {count}: {_named(more_hosts)}")
    return ". ".join(part for part in parts if part)


def by_chance(chance: float) -> str:
    """Return the sentence that says how sure a difference is that is only worth a look."""
    return f"By chance in {max(1, round(100 * chance))} of 100 reports of hosts that are alike"


def in_short(signal: Signal) -> str:
    """Return the first part of the sentence: what the host has, and what the others have."""
    if signal.kind == "check":
        return f"{_amount(signal)}, {_limit(signal)}"
    amount = _events(signal) if signal.counts_events else _amount(signal)
    return f"{amount}; {_expected(signal)}" if signal.expected is not None else amount


def _named(signals: Sequence[Signal]) -> str:
    """Return the names of the hosts; for events each with its number, those with most first."""
    if not signals[0].counts_events:
        return phrases.hosts([signal.host for signal in signals])
    ordered = sorted(signals, key=lambda signal: -signal.value)
    named = [f"{printable(signal.host)} ({quantities.amount(signal.value)})" for signal in ordered]
    return _listed(named, most=limits.NAMED_EVENTS)


def _events(signal: Signal) -> str:
    """Return `6 files open longer than 1 s, the longest 3.2 s: /srv/informe anual.csv (python3)`."""
    if signal.merged is None:
        raise AssertionError
    table = signal.merged.table
    if table.events is None:
        raise AssertionError
    events = table.events
    phrase = phrases.what(events.one if signal.value == 1 else events.what, signal.evidence.parameters)
    text = f"{quantities.amount(signal.value)} {phrase}{_in_time(signal)}"
    rows = figures.worst_events(signal.merged, events, signal.host)
    if not rows:
        return text
    key = f": {phrases.key(table, rows[0].key)}" if table.keys else ""
    shown = next(column for column in table.measures if column.name == (events.worst or events.count))
    size = figures.number(rows[0].values[figures.place_of(table, shown.name)]) or 0.0
    if events.worst:
        which = "" if signal.value == 1 else f"the {_LARGEST.get(shown.type, 'Highest').lower()} "
        return f"{text}, {which}{phrases.figure(shown, size)}{key}"
    if not key or signal.value == 1:
        return f"{text}{key}"
    return (
        f"{text}, all of them{key}"
        if size >= signal.value
        else f"{text}, most of them {quantities.amount(size)}{key}"
    )


def _few(signal: Signal) -> str:
    """Return how many samples a figure has that is no total, if these are few: ` (10 attempts to connect only)`."""
    column = signal.column
    if signal.kind != "compare" or not 0 < signal.records < limits.FEW_SAMPLES or signal.merged is None:
        return ""
    if column.ratio is not None:
        below = next(item for item in signal.merged.table.measures if item.name == column.ratio[1])
        return f" ({signal.records} {phrases.name(below)} only)" if figures.is_count(below) else ""
    return (
        "" if figures.adds(column) or column.merge in ("max", "min") else f" ({signal.records} records only)"
    )


def _in_time(signal: Signal) -> str:
    """Return how long the host was watched (` in 12 s`); empty where all were watched equally long."""
    return "" if signal.seconds is None else f" in {quantities.time(signal.seconds)}"


def _amount(signal: Signal) -> str:
    column = signal.column
    value = phrases.figure(column, signal.value)
    if _is_of_stacks(signal):
        return f"{value} of the {signal.records:,} stacks are in {_path(signal.key)}"
    if signal.kind == "calls":
        calls = f"{signal.records:,} calls of {printable(str(signal.key[0]))}"
        return f"a call of {printable(str(signal.key[-1]))} takes {value} ({calls})"
    if signal.merged is None:
        raise AssertionError
    table = signal.merged.table
    if column.merge == "records":
        what = phrases.what(table.what, signal.evidence.parameters) or phrases.name(column)
        text = f"{value} {what}"
    else:
        text = f"{phrases.name(column)} {value}"
    if signal.key:
        text += f" ({phrases.key(table, signal.key)})" if signal.kind != "check" else ""
    return text + _in_time(signal) + _few(signal)


def _is_of_stacks(signal: Signal) -> bool:
    return signal.kind == "calls" and signal.column.type != "duration"


def _path(key: Key) -> str:
    """Return `vfs_read->ext4_read (httpd)`: the function of a stack, and what called it."""
    process, *path = (printable(str(part)) for part in key)
    return "->".join(path[-2:]) + (f" ({process})" if process != stacks.ALL else "")


def _expected(signal: Signal) -> str:
    if signal.expected is None:
        raise AssertionError
    column = signal.column
    who = phrases.others(
        signal.peers,
        signal.peer_set if signal.several_sets else "",
        signal.other_host,
    )
    if signal.elsewhere and not any(signal.others):
        return f"nothing of the kind on {who}"
    if signal.counts_events and not any(signal.others):
        return f"{who}: none"
    has = phrases.span(column, signal.others, signal.expected, signal.up or signal.counts_events)
    same = " in the same time" if signal.seconds is not None else ""
    if signal.elsewhere:
        return f"what {who} have of the kind: {has}{same}"
    return f"{who}: {has}{same}"


def _limit(signal: Signal) -> str:
    if signal.expected is None:
        raise AssertionError
    return f"{'above' if signal.up else 'below'} {phrases.figure(signal.column, signal.expected)}"


# --- what follows ---


def _details(signal: Signal) -> Iterable[str]:
    if signal.kind == "calls":
        yield _callers(signal)
        return
    if signal.counts_events:
        return
    if signal.merged is None:
        raise AssertionError
    table = signal.merged.table
    if signal.kind == "check" and signal.key:
        more = f" and {plural(signal.records - 1, 'more row')}" if signal.records > 1 else ""
        yield f"That is {phrases.key(table, signal.key)}{more}"
    elif not signal.key and table.keys:
        yield _worst_row(signal)


def _worst_row(signal: Signal) -> str:
    """Return a sentence with the row that says most about a figure of a whole host; empty if there is none."""
    if signal.merged is None:
        raise AssertionError
    table, column = signal.merged.table, signal.column
    rows = next((host.rows for host in signal.merged.hosts if host.host == signal.host), [])
    shown = _telling(signal) if column.merge == "records" else column
    if not rows or shown is None:
        return ""
    place = figures.place_of(table, shown.name)

    def size(row: MergedRow) -> float:
        return figures.number(row.values[place]) or 0.0

    fewest = shown.more_is == "better" or shown.merge == "min"
    worst = min(rows, key=size) if fewest else max(rows, key=size)
    key = phrases.key(table, worst.key)
    if size(worst) == signal.value and column.merge != "records":
        return f"That is {key}" if len(rows) == 1 or not figures.adds(column) else f"All of it: {key}"
    value = phrases.figure(shown, size(worst))
    if figures.adds(shown):
        return f"Most of it {value}: {key}" if size(worst) > signal.value / 2 else f"Most {value}: {key}"
    return f"{(_SMALLEST if fewest else _LARGEST).get(shown.type, 'Lowest' if fewest else 'Highest')} {value}: {key}"


def _telling(signal: Signal) -> Column | None:
    """Return the measure that says which record is the worst, for a figure that is a number of records."""
    if signal.merged is None:
        raise AssertionError
    table = signal.merged.table
    numbers = [column for column in table.measures if figures.is_figure(column) and column.merge != "records"]
    place = sort_measure(table)
    sorts = table.measures[place] if place is not None else None
    if sorts in numbers:
        return sorts
    return next((column for column in numbers if column.more_is != "neutral"), None)


def _callers(signal: Signal) -> str:
    chain = [printable(str(part)) for part in signal.key[1 : -2 if _is_of_stacks(signal) else -1]]
    if not chain:
        return ""
    return "Called by " + " < ".join(reversed(chain[-CALLERS:])) + (" < …" if len(chain) > CALLERS else "")


def _also(signal: Signal, also: Sequence[Signal]) -> Iterable[str]:
    """Yield sentences on what else stands out: other measures, and other rows of the same measure."""
    same = [item for item in also if item.column.name == signal.column.name and item.kind == signal.kind]
    if _is_of_stacks(signal):
        paths = [_path(item.key) for item in same if not _on_one_path(item.key, signal.key)]
        yield f"More there, too: {_listed(paths)}" if paths else ""
    elif signal.kind == "calls" and same:
        names = dict.fromkeys(printable(str(item.key[-1])) for item in same)
        yield f"Slower there, too: {_listed(list(names))}"
    elif same:
        if signal.merged is None:
            raise AssertionError
        keys = [phrases.key(signal.merged.table, item.key) for item in same if item.key]
        yield f"The same with {_listed(keys)}" if keys else ""
    seen = {signal.column.name} if signal.kind != "check" else set()
    rest = []
    events = signal.merged.table.events if signal.merged and signal.counts_events else None
    for item in also:
        if events is not None and item.kind == "check" and item.column.name == events.worst:
            continue  # the worst of them stands in the sentence already
        if item.kind == "check" and item.column.name == signal.column.name:
            rest.append(_limit(item))
        elif item.column.name not in seen:
            seen.add(item.column.name)
            rest.append(_aside(item))
    if rest:
        yield "Also " + _listed(rest, "; ")


def _on_one_path(one: Key, other: Key) -> bool:
    return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _aside(signal: Signal) -> str:
    if signal.kind == "check":
        return f"{_amount(signal)}, {_limit(signal)}"
    if signal.expected is None:
        raise AssertionError
    return f"{_amount(signal)} against {phrases.figure(signal.column, signal.expected)}"


def _listed(texts: Sequence[str], between: str = ", ", most: int = MAX_ALSO) -> str:
    shown = between.join(texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most:,} more"
