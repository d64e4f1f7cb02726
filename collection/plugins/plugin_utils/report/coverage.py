# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts were probed, how well, and for each that was not: why, and what would change it.

Pure functions from what the run directory holds about one host (`HostRecord`) to one row of the coverage
table. The record is not trusted: files may be missing, half written, or hold other types than they should.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import contact
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.remedies import remedies
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
    headline,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ArmedSession,
    ArmRecord,
    ClockRecord,
    CollectedSession,
    CollectRecord,
    EventRecord,
    GoRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import Losses
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord

HostStatus = Literal["probed", "degraded", "refused", "unreachable", "failed", "not probed"]
STATUSES: tuple[HostStatus, ...] = ("probed", "degraded", "refused", "unreachable", "failed", "not probed")
SessionStatus = Literal["sampled", "degraded", "failed", "not built", "not armed", "missing"]

MIN_TOLERANCE_S = 0.25
TOLERANCE_SHARE = 0.01


@dataclass(frozen=True)
class Loss:
    """Something that makes figures too low. `count` is how many (0 where it cannot be counted)."""

    kind: str
    text: str
    count: int = 0


@dataclass(frozen=True)
class SessionOutput:
    """One session read back. `cut`, `over_limit`, `altered` are faults of the collected file; `head` holds its
    first lines. exits: the script may end by itself."""

    result: SessionResult
    losses: Losses
    cut: bool = False
    over_limit: bool = False
    altered: bool = False
    head: tuple[str, ...] = ()
    exits: bool = False

    @property
    def ended_itself(self) -> bool:
        """Return whether the script ended by itself, as far as is known: not by the window, and its last record came."""
        return self.exits and self.result.end_reason == "stop"


@dataclass
class SessionCoverage:
    """One probe on one host. Seconds are None where they are not known (no `@end`, no window).

    hits: how often its handlers ran. rejected: the first lines that were not taken, with why. warnings: what
    SystemTap said. notes: what the parser did.
    """

    probe: str
    status: SessionStatus
    error: str = ""
    sampled_s: float | None = None
    late_s: float | None = None
    early_s: float | None = None
    rows: int = 0
    cpu_s: float | None = None
    hits: int | None = None
    result: str = ""
    losses: list[Loss] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        """Return whether the probe sampled on this host, with or without losses."""
        return self.status in ("sampled", "degraded")

    @property
    def mark(self) -> str:
        """Return the losses that stand next to this session's figures; empty when nothing touches them."""
        return "; ".join(loss.text for loss in self.losses)


@dataclass
class HostCoverage:
    """One row of the coverage table. clock_offset_s: host clock minus controller clock."""

    host: str
    status: HostStatus
    reason: str = ""
    remedy: str = ""
    kernel: str = ""
    distribution: str = ""
    staprun: str = ""
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
    late_s: float | None = None
    early_s: float | None = None
    sessions: dict[str, SessionCoverage] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)


@dataclass
class HostRecord:
    """All that the run directory holds about one host. `builds` are those of the whole sweep.

    window: the one it was to sample. left_out: why the sweep itself did not probe it though it could have.
    check_mode: it was only asked.
    """

    host: str
    sweep_id: str
    probes: Sequence[str]
    window_s: float
    window: WindowRecord | None = None
    builds: Mapping[str, KernelBuild] = field(default_factory=dict)
    preflight: PreflightRecord | None = None
    arm: ArmRecord | None = None
    go: GoRecord | None = None
    collect: CollectRecord | None = None
    events: Sequence[EventRecord] = ()
    outputs: Mapping[str, SessionOutput] = field(default_factory=dict)
    left_out: str = ""
    check_mode: bool = False


def cover(record: HostRecord) -> HostCoverage:
    """Return the coverage row of one host."""
    facts, armed = record.preflight or PreflightRecord(), record.arm or ArmRecord()
    clock = armed.clock or facts.clock or ClockRecord()
    row = HostCoverage(
        host=record.host,
        status="not probed",
        kernel=facts.kernel,
        distribution=facts.distribution,
        staprun=facts.staprun,
        clock_offset_s=clock.offset_s,
        clock_error_s=clock.error_s,
    )
    row.sessions = {probe: _session(record, row, probe) for probe in record.probes}
    row.losses = _host_losses(record)
    row.late_s = _worst(session.late_s for session in row.sessions.values())
    row.early_s = _worst(session.early_s for session in row.sessions.values())
    if record.collect is None and not record.outputs:
        row.status, row.reason, row.remedy = _why_nothing(record, row)
    else:
        row.status, row.reason, row.remedy = _how_well(row)
    return row


def tolerance_s(window_s: float, clock_error_s: float | None) -> float:
    """Return how many seconds late a start or early an end goes unremarked: the clocks' error or 1 % of the window."""
    return max(MIN_TOLERANCE_S, TOLERANCE_SHARE * window_s, clock_error_s or 0.0)


# --- one session ---


def _session(record: HostRecord, row: HostCoverage, probe: str) -> SessionCoverage:
    built = record.builds.get(row.kernel, KernelBuild()).probes.get(probe, ModuleBuild())
    armed = (record.arm or ArmRecord()).sessions.get(probe)
    collected = (record.collect or CollectRecord()).sessions.get(probe, CollectedSession())
    output = record.outputs.get(probe)
    session = SessionCoverage(probe, "missing", result=collected.result, cpu_s=collected.cpu_s)
    if output is None:
        if built.failed:
            session.status, session.error = "not built", built.failure
        elif armed is not None and armed.status == "failed":
            session.status, session.error = "not armed", armed.error or "its module could not be loaded"
        elif armed is None and record.arm is not None:
            session.status = "not armed"
        elif record.collect is not None:
            session.error = "no output came back"
        return session
    session.rows, session.notes = output.result.rows, list(output.result.notes)
    session.hits = output.result.hits
    session.rejected, session.warnings = list(output.result.rejected_sample), list(output.losses.warnings)
    _measure(record, row, session, output.result)
    session.losses = list(_session_losses(record, row, session, output, collected))
    session.status = "degraded" if session.losses else "sampled"
    if output.ended_itself:
        session.notes.append(_own_end(session, output.result))
    elif output.result.start_ms is None:
        session.status, session.error = (
            "failed",
            _never_sampled(armed or ArmedSession(), output, _expected_ms(record, row)[1]),
        )
    return session


def _measure(record: HostRecord, row: HostCoverage, session: SessionCoverage, result: SessionResult) -> None:
    """Fill in how long was really sampled, by the host's own clock."""
    start, end = _expected_ms(record, row)
    if result.start_ms is not None and start is not None:
        session.late_s = max(0, result.start_ms - start) / 1000
    if result.end_ms is not None and end is not None:
        session.early_s = max(0, end - result.end_ms) / 1000
    if result.start_ms is not None and result.end_ms is not None:
        session.sampled_s = max(0, result.end_ms - result.start_ms) / 1000


def _expected_ms(record: HostRecord, row: HostCoverage) -> tuple[float | None, float | None]:
    """Return the window in ms of the host's clock: as the host was told, else the controller's plus the offset."""
    told, window = record.go or GoRecord(), record.window or WindowRecord()
    if told.start_ms is not None and told.end_ms is not None:
        return told.start_ms, told.end_ms
    if window.start is None or window.end is None or row.clock_offset_s is None:
        return None, None
    offset_s = row.clock_offset_s
    return round((window.start + offset_s) * 1000), round((window.end + offset_s) * 1000)


def _session_losses(
    record: HostRecord,
    row: HostCoverage,
    session: SessionCoverage,
    output: SessionOutput,
    collected: CollectedSession,
) -> Iterable[Loss]:
    allowed = tolerance_s(record.window_s, row.clock_error_s)
    if session.late_s is not None and session.late_s > allowed:
        yield Loss("late", f"late {session.late_s:.1f} s")
    if session.early_s is not None and session.early_s > allowed and not output.ended_itself:
        yield Loss("early", f"left {session.early_s:.1f} s early{_by(output.result.end_reason)}")
    if output.result.start_ms is not None and output.result.end_ms is None:
        yield Loss("cut_off", f"cut off before the end{_by(session.result)}")
    yield from _transfer_losses(output, collected)
    yield from _counted(output)


def _transfer_losses(output: SessionOutput, collected: CollectedSession) -> Iterable[Loss]:
    if collected.truncated or output.over_limit:
        yield Loss("truncated", "output truncated at its limit")
    elif output.cut or output.result.truncated:
        yield Loss("truncated", "output ends in the middle")
    if output.altered and not (collected.truncated or output.cut or output.over_limit):
        yield Loss("altered", "output is not what the host sent (checksum)")


def _counted(output: SessionOutput) -> Iterable[Loss]:
    said, result = output.losses, output.result
    counts = (
        ("lost_records", result.lost_records, "record", "lost"),
        ("rejected_lines", result.rejected_lines, "line", "rejected"),
        ("skipped_probes", said.skipped, "probe hit", "skipped"),
        ("transport_failures", said.transport_failures, "transport failure", ""),
        ("lost_messages", said.lost_messages, "message", "lost"),
        ("lost_bytes", said.lost_bytes, "byte", "lost"),
        ("dead_probes", said.dead_probes, "probe point", "not registered"),
        ("errors", said.errors, "error", "in the probe"),
    )
    for kind, count, noun, verb in counts:
        if count:
            yield Loss(kind, plural(count, noun) + (f" {verb}" if verb else ""), count)
    if said.overload:
        yield Loss("overload", "stopped by SystemTap: the probe cost too much")


def _own_end(session: SessionCoverage, result: SessionResult) -> str:
    if result.start_ms is None:
        if result.armed_ms is not None and result.end_ms is not None:
            session.sampled_s = max(0, result.end_ms - result.armed_ms) / 1000
        return "the script ended by itself before the window began; what it had printed until then is shown"
    early = f", {session.early_s:.1f} s before the window did" if session.early_s else ""
    return f"the script ended by itself{early}"


def _never_sampled(armed: ArmedSession, output: SessionOutput, end_ms: float | None) -> str:
    armed_ms = output.result.armed_ms
    if armed_ms is not None and end_ms is not None and armed_ms >= end_ms:
        return f"it was armed {(armed_ms - end_ms) / 1000:.1f} s after the window had ended"
    said = armed.error or next(iter(output.losses.warnings), "")
    what = "its window never came" if output.result.armed_ms is not None else "it never finished arming"
    return f"{what}: {said}" if said else what


def _by(cause: str) -> str:
    known = {"": "", "success": "", "window": "", "stop": " (stopped)", "ttl": " (its time to live was over)"}
    return known.get(cause, f" ({cause})")


# --- one host ---


def _host_losses(record: HostRecord) -> list[Loss]:
    collected = record.collect or CollectRecord()
    return [
        *(Loss("residue", f"module {name} is still loaded", 1) for name in collected.residue),
        *(Loss("kernel", trouble) for trouble in collected.kernel),
    ]


def _why_nothing(record: HostRecord, row: HostCoverage) -> tuple[HostStatus, str, str]:
    """Return status, reason and remedy of a host from which nothing came back."""
    for one in (record.preflight, record.arm):
        if one is not None and one.verdict and one.verdict != "ok":
            status: HostStatus = "failed" if one.verdict == "failed" else "refused"
            return status, one.reason or f"{one.verdict} at {one.PHASE}", one.remedy
    lost = next((event for event in record.events if event.status == "lost"), None)
    if lost is not None:
        why = lost.message or "nothing came back"
        return "not probed", f"its shard of the sweep was lost: {why}", _still_there(record, "sweep again")
    event = next((e for e in reversed(record.events) if e.status in _FAULTS), None)
    if event is not None:
        return _by_event(record, event)
    if record.left_out:
        return "not probed", record.left_out, "see to that, then sweep again"
    unusable = [session for session in row.sessions.values() if session.status in ("not built", "not armed")]
    if unusable and len(unusable) == len(row.sessions):
        first = unusable[0]
        said = f": {headline(first.error)}" if first.error else ""
        return "failed", f"no probe could run: {first.probe} was {first.status}{said}", ""
    if record.check_mode:
        return "not probed", "check mode: hosts are asked, and nothing is started", "run it without --check"
    return "not probed", f"the sweep was interrupted {_reached(record)}", _still_there(record, "sweep again")


def _by_event(record: HostRecord, event: EventRecord) -> tuple[HostStatus, str, str]:
    phase, said, other = event.phase or "a task", event.message, event.delegated_to
    if other and other != record.host:
        reason = f"{other}, which works for it, {_FAULTS[event.status]} at {phase}"
        return "failed", reason + (f": {said}" if said else ""), f"see to {other}, then sweep again"
    if event.status == "unreachable":
        found = contact.obstacle(said)
        reason = f"unreachable at {phase}" + (f": {found.reason}" if found.reason else "")
        advice = found.remedy or "see that ssh reaches it"
        return "unreachable", reason, _still_there(record, f"{advice}; then sweep again")
    return "failed", f"failed at {phase}" + (f": {said}" if said else ""), _still_there(record, "")


_FAULTS = {"unreachable": "was unreachable", "failed": "failed"}


def _reached(record: HostRecord) -> str:
    done = (("go", record.go), ("arm", record.arm), ("preflight", record.preflight))
    last = next((phase for phase, data in done if data is not None), None)
    if last is None:
        return "before preflight"
    return "after the window was given" if last == "go" else f"after {last}"


def _still_there(record: HostRecord, otherwise: str) -> str:
    """Return the remedy: once started, a session ends by itself and leaves its output, else `otherwise` applies."""
    if record.go is None:
        return otherwise
    return "its session ends by itself and leaves the output on the host; bring it with: fleetdiag collect"


def _how_well(row: HostCoverage) -> tuple[HostStatus, str, str]:
    """Return status, reason and remedy of a host from which something came back."""
    unload = [
        f"on the host: staprun -d {shlex.quote(loss.text.split()[1])}"
        for loss in row.losses
        if loss.kind == "residue"
    ]
    remedy = "; ".join([*unload, *remedies(session.error for session in row.sessions.values())])
    complaints = [loss.text for loss in row.losses]
    for session in row.sessions.values():
        if session.mark:
            complaints.append(f"{session.probe}: {session.mark}")
        elif session.status == "missing":
            complaints.append(f"{session.probe}: {session.error or 'no output came back'}")
        if session.status not in ("sampled", "degraded", "missing"):
            said = f" ({headline(session.error)})" if session.error else ""
            complaints.append(f"{session.probe}: {_STATUS_WORDS[session.status]}{said}")
    if row.sessions and not any(session.has_data for session in row.sessions.values()):
        return "failed", "; ".join(complaints), remedy
    return ("degraded" if complaints else "probed"), "; ".join(complaints), remedy


_STATUS_WORDS = {"failed": "nothing sampled", "not built": "not built", "not armed": "not armed"}


def _worst(seconds: Iterable[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return max(known) if known else None
