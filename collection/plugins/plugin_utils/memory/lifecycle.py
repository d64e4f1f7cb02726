# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of findings from sweep to sweep: pure functions from the records of the sweep before to those now.

suspect -> new -> same, worse, better -> gone after CLEAR sweeps in which the host was covered and nothing found.
A host that is not covered freezes its records (`unknown`): no data is never good news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.decisions import Decision
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.finding_records import (
    RANK,
    SHARED,
    Record,
    Seen,
    State,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.fingerprint import VERSION
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.references import started

CLEAR = 2
"""Covered sweeps without a finding until it is gone."""
CONFIRM = (2, 3)
"""Of the last 3 covered sweeps, so many must have a finding that is not told at once."""
WORSE = 2.0
"""Times the value last told from which on a finding is worse; its inverse is better."""
MEMBERS = 1.2
HISTORY = 10
FLAPS = 4
CALM = 5
REGRESS_S = 7 * 86_400.0
ACCEPTED_KINDS = frozenset({"compare", "changed", "set"})
"""Findings that become the new normal by lasting; a threshold stays one."""

Covered = Literal["yes", "no", "left", "superseded"]


@dataclass(frozen=True)
class Transition:
    """A change that may be told. tell: at once; else why_quiet says why not."""

    record: Record
    transition: str
    tell: bool = True
    why_quiet: str = ""


@dataclass
class Outcome:
    """open: records that are not closed. closed: those closed lately. accepted: became the new normal now."""

    open: list[Record] = field(default_factory=list)
    closed: list[Record] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    accepted: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class Sweep:
    """What the step needs to know of this sweep. accept_after_s: 0 for never."""

    id: str
    now: datetime
    accept_after_s: float
    decisions: Sequence[Decision] = ()


def step(
    before: Iterable[Record],
    closed: Iterable[Record],
    seen: Iterable[Seen],
    covered: Callable[[Record], Covered],
    sweep: Sweep,
) -> Outcome:
    """Return the records after this sweep, and what changed."""
    result = Outcome()
    now = {item.fingerprint: item for item in seen}
    lately = {record.fingerprint: record for record in closed if not _older(record.closed, sweep, REGRESS_S)}
    absorbed = {
        (host, item.probe, item.table, item.measure, item.direction)
        for item in now.values()
        for host in item.hosts
        if item.of == "set" or len(item.hosts) > 1
    }
    for record in before:
        found = now.pop(record.fingerprint, None)
        if record.version != VERSION or (
            found is None
            and record.of == "host"
            and len(record.hosts) < 2
            and (record.who, record.probe, record.table, record.measure, record.direction) in absorbed
        ):
            _close(result, record, "superseded", sweep, tell=False)
            continue
        _go_on(result, record, found, covered(record), sweep)
    for item in now.values():
        _begin(result, item, lately.pop(item.fingerprint, None), sweep)
    result.open = [
        replace(_judged_flapping(record), ack=acknowledgement(record, sweep)) for record in result.open
    ]
    again = {record.fingerprint for record in result.open}
    result.closed += [record for record in lately.values() if record.fingerprint not in again]
    return result


# --- one record ---


def _begin(result: Outcome, seen: Seen, earlier: Record | None, sweep: Sweep) -> None:
    history = (earlier.history if earlier else "") + "1"
    record = _updated(
        Record(
            **{name: getattr(seen, name) for name in SHARED},
            state="suspect",
            since=seen.since or sweep.id,
            last_seen=sweep.id,
            last_normal=seen.last_normal,
        ),
        seen,
        sweep,
    )
    record = replace(record, history=history[-HISTORY:], sweeps=1)
    if earlier is not None:
        record = replace(
            record, accepted=earlier.accepted, flapping=earlier.flapping, acks_after=earlier.acks_after
        )
        if earlier.told:
            _tell(result, record, "regressed", sweep)
            return
    if seen.at_once or _confirmed(record):
        _tell(result, record, "new", sweep)
    else:
        result.open.append(record)


def _go_on(result: Outcome, record: Record, seen: Seen | None, covered: Covered, sweep: Sweep) -> None:
    if seen is None and covered in ("left", "superseded"):
        _close(result, record, "left" if covered == "left" else "superseded", sweep, tell=False)
    elif seen is None and covered == "no":
        result.open.append(replace(record, frozen=True, state="unknown" if record.told else record.state))
    elif seen is None:
        _absent(result, replace(record, frozen=False), sweep)
    else:
        _present(result, _updated(replace(record, frozen=False), seen, sweep), seen, sweep)


def _absent(result: Outcome, record: Record, sweep: Sweep) -> None:
    record = replace(record, absent=record.absent + 1, history=(record.history + "0")[-HISTORY:])
    if not record.told:
        if "1" in record.history[-CONFIRM[1] :]:
            result.open.append(record)
        return
    if record.absent >= CLEAR:
        _close(result, record, "gone", sweep, tell=not record.accepted)
    else:
        result.open.append(replace(record, state="accepted" if record.accepted else "same"))


def _present(result: Outcome, record: Record, seen: Seen, sweep: Sweep) -> None:
    record = replace(record, absent=0, history=(record.history + "1")[-HISTORY:], sweeps=record.sweeps + 1)
    if not record.told:
        if seen.at_once or _confirmed(record):
            _tell(result, record, "new", sweep)
        else:
            result.open.append(record)
        return
    worse = (
        RANK[seen.severity] < RANK[record.told_severity]
        or record.growth >= WORSE
        or len(seen.hosts) > MEMBERS * record.told_hosts > 0
    )
    if worse:
        over = sweep.now.isoformat(timespec="seconds")
        _tell(result, replace(record, accepted=False, acks_after=over), "worse", sweep)
    elif _accepts(record, sweep):
        _tell(result, replace(record, accepted=True), "new_normal", sweep)
        result.accepted.append(result.open[-1])
    elif WORSE * record.growth <= 1:
        _tell(result, record, "better", sweep)
    else:
        result.open.append(replace(record, state="accepted" if record.accepted else "same"))


def _updated(record: Record, seen: Seen, sweep: Sweep) -> Record:
    """Return the record with what this sweep says of it."""
    return replace(record, **{name: getattr(seen, name) for name in SHARED}, last_seen=sweep.id)


def _confirmed(record: Record) -> bool:
    needed, among = CONFIRM
    return record.history[-among:].count("1") >= needed


def _accepts(record: Record, sweep: Sweep) -> bool:
    if record.accepted:
        return False
    begun = _moment(record.since)
    for item in sweep.decisions:
        at = _iso(item.at) if item.what == "accept" and item.fingerprint == record.fingerprint else None
        if at is not None and begun is not None and begun <= at <= sweep.now:
            return True
    lasts = sweep.accept_after_s > 0 and _older(record.since, sweep, sweep.accept_after_s)
    return record.kind in ACCEPTED_KINDS and lasts


# --- telling ---

_STATES: Mapping[str, State] = {
    "new": "new",
    "regressed": "new",
    "worse": "worse",
    "better": "better",
    "new_normal": "accepted",
}


def _tell(result: Outcome, record: Record, transition: str, sweep: Sweep) -> None:
    record = replace(
        _judged_flapping(record),
        state=_STATES[transition],
        told_value=record.value,
        told_ratio=record.ratio,
        told_severity=record.severity,
        told_hosts=len(record.hosts),
        ack=acknowledgement(record, sweep),
    )
    quiet = _quiet(record, transition)
    result.open.append(record)
    result.transitions.append(Transition(record, transition, not quiet, quiet))


def _close(result: Outcome, record: Record, state: State, sweep: Sweep, *, tell: bool) -> None:
    record = replace(_judged_flapping(record), state=state, closed=sweep.id)
    if not record.told:
        return
    result.closed.append(record)
    quiet = "" if tell else "accepted before" if record.accepted and state == "gone" else "digest only"
    if tell and record.flapping:
        quiet = "flapping"
    result.transitions.append(Transition(record, state, not quiet, quiet))


def _quiet(record: Record, transition: str) -> str:
    """Return why a transition is not told at once, or nothing."""
    if transition == "better":
        return "digest only"
    if record.accepted and transition == "regressed":
        return "accepted before"
    if record.flapping and transition != "worse":
        return "flapping"
    if record.ack and transition not in ("worse", "new_normal"):
        return "acknowledged"
    return ""


def _judged_flapping(record: Record) -> Record:
    """Return the record as flapping after FLAPS changes in its history, until CALM equal sweeps."""
    history = record.history
    changes = sum(one != other for one, other in pairwise(history))
    calm = len(history) >= CALM and len(set(history[-CALM:])) == 1
    return replace(record, flapping=not calm and (record.flapping or changes >= FLAPS))


def acknowledgement(record: Record, sweep: Sweep) -> Mapping[str, str] | None:
    """Return the acknowledgement that is in force; it outlives a short recovery, but not that it gets worse."""
    for item in reversed(sweep.decisions):
        if item.what == "ack" and item.fingerprint == record.fingerprint and item.at > record.acks_after:
            at, until = _iso(item.at), _iso(item.until)
            if at is not None and until is not None and at <= sweep.now < until:
                return {"until": item.until, "why": item.why, "by": item.by}
    return None


# --- time ---


def _older(run_id: str, sweep: Sweep, seconds: float) -> bool:
    moment = _moment(run_id)
    return moment is None or (sweep.now - moment).total_seconds() >= seconds


def _moment(run_id: str) -> datetime | None:
    try:
        return started(run_id)
    except FleetdiagError:
        return None


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
