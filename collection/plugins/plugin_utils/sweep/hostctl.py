# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of `guard.sh`: its verbs as methods, its answers as plain data.

How a command reaches the host is the caller's business (`Run`), so this module knows nothing of Ansible or ssh.
Every line of an answer comes from a probed host and is not trusted: checksums are verified, names are looked up in
what was asked for, sizes are bounded.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ClockRecord

Run = Callable[[str, bytes | None], tuple[int, str, str]]
"""(shell command, standard input) -> (exit code, stdout, stderr), as root on one host."""

FILES = Path(__file__).resolve().parents[3] / "roles" / "sweep" / "files"
GUARD_DIR = "/var/lib/fleetdiag/guard"

_STILL_THERE = "it is still on the host, bring it with: fleetdiag collect"
SESSION_STATES = ("armed", "started", "failed", "late")
ARM_WORDS = ("came=", "verdict=", "missing=", "error=", "stale=")
MANIFEST_SAID = ("verified", "unverified")
CLOCK_SAMPLES = 3
_TIME = re.compile(r"[0-9]{10}\.[0-9]{9}")
MAX_ERR_BYTES = 1 << 20
PACKED_MORE = 1024
"""Packed output is never longer than what it unpacks to by more than this and one per cent."""
REDACTION_GROWTH = 2
"""Output may be this many times what its session printed: `***` can be longer than the secret it stands for."""


class TransferError(FleetdiagError):
    """What a host handed over did not arrive as it left; it is still there."""


@dataclass(frozen=True)
class Clock:
    """Clock of a host against the controller's: host time = controller time + offset_s, give or take error_s."""

    offset_s: float
    error_s: float

    @classmethod
    def stored(cls, data: object) -> Clock | None:
        """Read a clock of a record; None if it is no clock."""
        found = untrusted.offset(data)
        return None if found is None else cls(*found)

    @classmethod
    def recorded(cls, record: ClockRecord | None) -> Clock | None:
        """Return the clock of a record; None if it is no clock."""
        return cls.stored(asdict(record)) if record else None

    @property
    def correction_s(self) -> float:
        """Return the seconds to add to a controller time; 0 if the clock's own error could explain them."""
        return self.offset_s if abs(self.offset_s) > self.error_s else 0.0


@dataclass(frozen=True)
class SessionPlan:
    """One module to arm: `values` are the globals set at load, in the order given."""

    probe: str
    sha256: str
    output_mb: int
    values: Sequence[tuple[str, str]]


@dataclass
class ArmReply:
    """verdict: ok, refused or busy. sessions: probe -> (state armed|started|failed|late, seconds, what was said).

    stale: what the controller remembers of the host is not true any more, or it was never prepared; nothing was
    started. facts: how it is now, as `install_and_preflight` says it; none where guard.sh is not there.
    clock: what its answer says about its clock; took_s: seconds until that was here.
    manifest: verified, or unverified where the host has no ssh-keygen that could.
    """

    verdict: str = ""
    reason: str = ""
    smoke: str = ""
    stale: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    took_s: float = 0.0
    clock: Clock | None = None
    manifest: str = ""
    missing: list[str] = field(default_factory=list)
    sessions: dict[str, tuple[str, float, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """A collected session. out is gzip, sha256 that of the uncompressed output, cpu_s the processor time of its unit.

    printed_bytes: what the session wrote before secrets were taken out of it. redacted_lines: lines that had some,
    None if nothing was taken out.
    """

    probe: str
    result: str
    status: str
    cpu_s: float
    out_bytes: int
    sha256: str
    printed_bytes: int
    redacted_lines: int | None
    out_gz: bytes
    err: bytes


@dataclass
class Aborted:
    """What was ended on one host. sweeps: id -> modules that were loaded; residue: those that still are."""

    sweeps: dict[str, int] = field(default_factory=dict)
    residue: list[str] = field(default_factory=list)


@dataclass
class Collected:
    """sessions in the host's order; residue: modules of the sweep that could not be unloaded.

    crashed: probes whose sessions were alive when the host went down.
    """

    sessions: list[Session] = field(default_factory=list)
    residue: list[str] = field(default_factory=list)
    kernel: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    clock: Clock | None = None


class Guard:
    """guard.sh on one host."""

    def __init__(
        self, run: Run, *, script: bytes | None = None, signer: signing.Signer | None = None
    ) -> None:
        self._run = run
        self._signer = signer
        self._script = _program(signer or signing.own()) if script is None else script
        self.path = f"{GUARD_DIR}/{hashlib.sha256(self._script).hexdigest()[:16]}.sh"

    def install_and_preflight(self) -> dict[str, str]:
        """Put guard.sh on the host and ask what the host can do; one round trip. Keys as guard.sh prints them."""
        return dict(untrusted.pairs(self._install_and("preflight")))

    def install_and_abort(self) -> Aborted:
        """End everything of every sweep on the host; one round trip, safe to repeat.

        The guard.sh that is there does it before anything is written, which a full or read-only disk would not take;
        if there is none and none can be written, that of another version does it.
        """
        command = (
            f"{_abort_with(self.path)}; said=$({self._installing()}) && exec /bin/sh {self.path} abort; "
            f"problem=$said; {_abort_with(f'{GUARD_DIR}/*.sh')}; printf '%s\\n' \"$problem\"; exit 1"
        )
        lines = self._answer("abort", command, self._script)
        if "abort=complete" not in lines:
            raise FleetdiagError("the host did not say that all has ended: abort again")
        aborted = Aborted()
        for line in lines:
            words = line.split()
            if words[:1] == ["aborted"] and len(words) == 3 and untrusted.SWEEP.fits(words[1]):
                aborted.sweeps[words[1]] = untrusted.whole(words[2]) or 0
            elif words[:1] == ["residue"]:
                aborted.residue.append(untrusted.residue(line.partition(" ")[2]))
        return aborted

    def put(self, sha256: str, module: bytes) -> None:
        """Send a compiled module; the host keeps it only if the checksum is right."""
        reply = dict(untrusted.pairs(self._call(f"put {sha256}", _packed(module))))
        if reply.get("put") != "ok":
            raise FleetdiagError(f"module {sha256[:12]} was not accepted: {reply}; run the sweep again")

    def arm(
        self,
        sweep: str,
        *,
        ttl_s: int,
        timeout_s: int,
        smoke: str,
        plans: Iterable[SessionPlan],
        redact: bool = True,
        window_ms: tuple[int, int] | None = None,
        boot_id: str = "",
        least: Mapping[str, int] | None = None,
        by: str = "",
        modules: Mapping[str, bytes] | None = None,
        manifest: signing.Signed | None = None,
        crashed: Mapping[str, str] | None = None,
        retry_crashed: bool = False,
    ) -> ArmReply:
        """Start the sessions, and wait until each is armed, has failed, or `timeout_s` is over.

        smoke: checksum of the trivial module that must run first, or empty when it has run here before.
        redact: take secrets out of what they print before any of it leaves the host.
        window_ms: start and end in the host's clock; the sessions know them from the beginning.
        boot_id: the boot from which everything that is known of the host comes; in another the reply is `stale`.
        least: {fact: number} that the host must still have; one that it has not makes the reply `stale`, too.
        by: whose sweep it is, for somebody who comes meanwhile. modules: {checksum: module} to send along.
        manifest: what the sweep may load, signed; without it one of just these modules is signed here.
        crashed: {probe: sweep in which the host went down with it}, as the controller knows it; the host knows its own.
        retry_crashed: load them all the same, and forget that.
        The reply names `missing` modules instead when the host does not hold all of them; nothing is started then.
        """
        plans = list(plans)
        if manifest is None:
            named = {plan.probe: plan.sha256 for plan in plans} | ({SMOKE: smoke} if smoke else {})
            manifest = (self._signer or signing.own()).sign(signing.manifest(sweep, named))
        lines = [f"id {sweep}", f"ttl {ttl_s}", f"arm_timeout {timeout_s}", f"smoke {smoke}"]
        lines += [f"redact {'yes' if redact else 'no'}", f"by {printable(by)}"]
        lines += [f"manifest {line}" for line in manifest.text.splitlines()]
        lines += [f"signature {line}" for line in manifest.signature.splitlines()]
        lines += [f"crashed {probe} {in_sweep}" for probe, in_sweep in (crashed or {}).items()]
        if retry_crashed:
            lines.append("retry_crashed yes")
        if boot_id:
            lines.append(f"boot {boot_id}")
        lines += [f"least {fact} {number}" for fact, number in (least or {}).items()]
        if window_ms is not None:
            lines.append(f"window {window_ms[0]} {window_ms[1]}")
        for plan in plans:
            values = " ".join(f"{name}={value}" for name, value in plan.values)
            lines.append(f"probe {plan.probe} {plan.sha256} {plan.output_mb} {values}")
        said = ("\n".join(lines) + "\n").encode()
        for sha256, module in (modules or {}).items():
            packed = _packed(module)
            said += f"module {sha256} {len(packed)}\n".encode() + packed
        sent = time.time()
        # A program that is not whole says nothing, or that it cannot be read; one that is says `came` before all else.
        command = f"[ -f {self.path} ] || {{ echo stale=guard; exit; }}; exec /bin/sh {self.path} arm"
        code, out, err = self._run(command, said)
        if code in (0, 2) and not any(line.startswith(ARM_WORDS) for line in untrusted.lines(out)):
            return ArmReply(stale="guard")
        answer = self._read("arm", code, out, err)
        received = time.time()
        reply = _arm_reply(answer, [plan.probe for plan in plans])
        reply.took_s = max(0.0, received - sent)
        reply.clock = _clock(answer, sent, received)
        return reply

    def go(self, sweep: str, start_ms: int, end_ms: int) -> dict[str, bool]:
        """Give every session its window in the host's clock; {probe: accepted}."""
        words = (line.split() for line in self._call(f"go {sweep} {start_ms} {end_ms}", None))
        return {
            word[1]: word[2] == "ok"
            for word in words
            if len(word) == 3 and word[0] == "go" and untrusted.PROBE.fits(word[1])
        }

    def collect(self, sweep: str, limits: dict[str, int]) -> Collected:
        """End the sessions and take their output; limits: {probe: bytes of output accepted}, other names are refused."""
        sent = time.time()
        lines = self._call(f"collect {sweep}", None)
        received = time.time()
        collected = read_collected(lines, limits)
        collected.clock = _clock(lines, sent, received)
        return collected

    def forget(self, sweep: str) -> None:
        """Remove the spool of a sweep that was collected."""
        self._call(f"forget {sweep}", None)

    def _install_and(self, verb: str) -> list[str]:
        return self._answer(verb, f"{self._installing()} && exec /bin/sh {self.path} {verb}", self._script)

    def _installing(self) -> str:
        """Return the command that puts guard.sh, which comes on standard input, on the host; whole or not at all."""
        new, digest = f"{self.path}.$$", Path(self.path).stem
        return (
            f"umask 077; {{ mkdir -p {GUARD_DIR} && cat >{new} "
            f"&& case $(sha256sum <{new}) in {digest}*) ;; *) false ;; esac "
            f"&& {{ sync {new} || sync; }} && mv {new} {self.path}; }} "
            f"|| {{ rm -f {new}; "
            f"echo 'error=cannot write guard.sh to {GUARD_DIR}: free space or remount it writable'; false; }}"
        )

    def _call(self, verb: str, data: bytes | None) -> list[str]:
        # Something on standard input keeps Ansible from asking for a terminal, which would mix stderr into the answer.
        return self._answer(verb.split()[0], f"exec /bin/sh {self.path} {verb}", data or b"\n")

    def _answer(self, verb: str, command: str, data: bytes | None) -> list[str]:
        return self._read(verb, *self._run(command, data))

    def _read(self, verb: str, code: int, out: str, err: str) -> list[str]:
        lines = untrusted.lines(out)
        said = [line[len("error=") :] for line in lines if line.startswith("error=")]
        if said:
            raise FleetdiagError(printable(said[-1]))
        if code:
            last = (err.strip() or out.strip() or f"exit code {code}").splitlines()[-1]
            raise FleetdiagError(f"{verb} failed on the host: {printable(last[:500])}")
        return lines


def _abort_with(paths: str) -> str:
    """Return the command that lets one of these programs end everything, and is then done."""
    return (
        f'for guard in {paths}; do [ ! -s "$guard" ] || said=$(/bin/sh "$guard" abort </dev/null); case ${{said:-}} in '
        "*abort=complete*) printf '%s\\n' \"$said\"; cat >/dev/null; exit ;; esac; done"
    )


def _program(signer: signing.Signer) -> bytes:
    """Return guard.sh; behind its last line whose manifests count and the rules of redact.sed: one file, one piece."""
    signers = f"#signers\n{signer.allowed}\n#redact.sed\n".encode()
    return (FILES / "guard.sh").read_bytes() + signers + (FILES / "redact.sed").read_bytes()


def _packed(module: bytes) -> bytes:
    return gzip.compress(module, 6, mtime=0)


def _clock(lines: Iterable[str], sent: float, received: float) -> Clock | None:
    """Return the clock that an answer shows, if it does.

    What the host did meanwhile is between its two times and costs no exactness.
    """
    said = dict(untrusted.pairs(line for line in lines if line.startswith(("came=", "left="))))
    came, left = (untrusted.moment(said.get(key), sent) for key in ("came", "left"))
    if came is None or left is None:
        return None
    error = (received - sent - (left - came)) / 2
    return Clock((came - sent + left - received) / 2, error) if error >= 0 else None


def better_clock(known: Clock | None, new: Clock | None) -> Clock | None:
    """Return the clock that both allow. If they exclude each other it was set meanwhile, and the new one is right."""
    if known is None or new is None:
        return new or known
    low = max(known.offset_s - known.error_s, new.offset_s - new.error_s)
    high = min(known.offset_s + known.error_s, new.offset_s + new.error_s)
    return Clock((low + high) / 2, (high - low) / 2) if low <= high else new


def measure_clock(read_clock: Callable[[], str], *, now: Callable[[], float] = time.time) -> Clock:
    """Compare clocks by asking a few times and keeping the quickest answer; the error is half its round trip.

    read_clock: returns the host's `date +%s.%N`. Raises FleetdiagError if no answer was a time.
    """
    best: Clock | None = None
    answer = ""
    for _unused in range(CLOCK_SAMPLES):
        sent = now()
        answer = read_clock().strip()
        received = now()
        host = untrusted.moment(answer.rpartition("\n")[2], sent)  # a login shell may greet before it answers
        if host is None:
            continue
        sample = Clock(host - (sent + received) / 2, (received - sent) / 2)
        if best is None or sample.error_s < best.error_s:
            best = sample
    if best is None:
        raise FleetdiagError(_no_clock(answer))
    return best


def _no_clock(answer: str) -> str:
    """Return why an answer is no time of a host's clock, with what to do."""
    said = printable(" ".join(_TIME.sub("", answer).split()))[:100]
    if said and _TIME.search(answer):
        return (
            f"its shell prints text around the answer of a command ({said!r}): let it print on terminals only, see"
            " .bashrc, .profile and /etc/profile there"
        )
    return (
        "the host's clock could not be read, or is more than a year from ours: set it, and see that `date +%s.%N`"
        " answers there"
    )


def read_collected(lines: Iterable[str], limits: dict[str, int]) -> Collected:
    """Return the answer of `guard.sh collect`; a transfer that is cut, altered or not asked for is an error."""
    collected = Collected()
    heads: dict[str, list[str]] = {}
    payload: dict[tuple[str, str], bytes] = {}
    complete = False
    for line in lines:
        kind, _unused, rest = line.partition(" ")
        name, _unused2, value = rest.partition(" ")
        if kind == "residue":
            collected.residue.append(untrusted.residue(rest))
        elif kind == "kernel":
            collected.kernel.extend(_kernel_trouble(name, value))
        elif kind == "crashed" and rest in limits:
            collected.crashed.append(rest)
            collected.kernel.append(
                f"it went down while it was probed with {rest}, which is not loaded there again before a sweep with"
                " --retry-crashed"
            )
        elif kind == "collect=complete":
            complete = True
        elif kind in ("session", "out", "err"):
            if name not in limits:
                raise FleetdiagError(f"the host sent a session nobody asked for: {printable(name[:60])!r}")
            if kind == "session":
                heads[name] = value.split()
            else:
                payload[kind, name] = _decoded(name, value)
    if not complete:
        raise TransferError(f"the output did not arrive whole; {_STILL_THERE}")
    for name, head in heads.items():
        collected.sessions.append(_session(name, head, payload, limits[name]))
    return collected


# Bits of /proc/sys/kernel/tainted that speak of trouble; loading a module sets others.
_TAINTS = {4: "a machine check", 5: "a bad page", 7: "an oops", 9: "a warning", 14: "a soft lockup"}


def _kernel_trouble(what: str, value: str) -> Iterator[str]:
    """Yield sentences that say what became of the host's kernel since the sweep was armed there; none is the rule."""
    if what == "booted":
        yield "it was booted again while it was probed"
    elif what == "said":
        yield f"its kernel said: {printable(value)[:300]}"
    elif what == "unwritten":
        yield (
            f"{printable(value)[:200]} could not be written: full or read-only; its output is handed over all the same,"
            " without secrets"
        )
    elif what == "full":
        yield f"{printable(value)[:200]} has no room left: what its sessions printed may be lost; free space there"
    elif what == "unread":
        yield f"what {printable(value)[:200]} printed could not be read from its disk"
    elif what == "taint":
        before, now = (untrusted.whole(word) for word in value.partition(" ")[::2])
        fresh = now & ~before if before is not None and now is not None else 0
        names = [name for bit, name in _TAINTS.items() if fresh >> bit & 1]
        if names:
            yield f"its kernel is tainted by {' and '.join(names)} since it was probed"


def _session(name: str, head: list[str], payload: dict[tuple[str, str], bytes], limit: int) -> Session:
    numbers = [untrusted.whole(word) for word in (*head[2:4], *head[5:6])]
    redacted = None if head[6:] == ["-"] else untrusted.whole("".join(head[6:]))
    if len(head) != 7 or None in numbers or (redacted is None and head[6] != "-"):
        raise FleetdiagError(
            f"session {name}: the host's answer cannot be read: {printable(' '.join(head)[:200])!r}"
        )
    result, status, sha256 = head[0], head[1], head[4]
    cpu_us, out_bytes, printed_bytes = (number or 0 for number in numbers)
    out_gz = payload.get(("out", name), b"")
    if len(out_gz) > out_bytes + out_bytes // 100 + PACKED_MORE:  # empty members of gzip need no output
        raise FleetdiagError(
            f"session {name}: {len(out_gz)} bytes were sent, packed, for {out_bytes} bytes of output; not kept"
        )
    if _digest(name, out_gz, limit) != sha256:
        raise TransferError(
            f"session {name}: the output has another checksum after the transfer; {_STILL_THERE}"
        )
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(payload.get(("err", name), b""))) as stream:
            err = stream.read(MAX_ERR_BYTES)
    except (OSError, EOFError, zlib.error):
        raise TransferError(f"session {name}: what it said is not readable gzip; {_STILL_THERE}") from None
    return Session(
        name,
        printable(result[:40]),
        printable(status[:40]),
        cpu_us / 1e6,
        out_bytes,
        sha256,
        printed_bytes,
        redacted,
        out_gz,
        err,
    )


def _digest(name: str, out_gz: bytes, limit: int) -> str:
    """Return the SHA-256 of the uncompressed output, read in pieces; more than `limit` bytes are refused."""
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(out_gz)) as stream:
            while piece := stream.read(1 << 20):
                size += len(piece)
                if size > limit:
                    raise FleetdiagError(
                        f"session {name}: more output than its limit of {limit} bytes was sent; not kept"
                    )
                digest.update(piece)
    except (OSError, EOFError, zlib.error):
        raise TransferError(f"session {name}: the output is not readable gzip; {_STILL_THERE}") from None
    return digest.hexdigest()


def _decoded(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:  # also where it is no ASCII
        raise TransferError(f"session {name}: the output is not readable base64; {_STILL_THERE}") from None


def _arm_reply(lines: Sequence[str], asked: Sequence[str]) -> ArmReply:
    """Read the answer to arm. A session that nobody asked for is not taken; of one that is not there nothing is known,
    so that it may run and has to be collected."""
    said = dict(untrusted.pairs(lines))
    if "stale" in said:
        facts = {key: value for key, value in said.items() if key not in ("stale", "came", "left")}
        return ArmReply(stale=said["stale"] or "unknown", facts=facts)
    reply = ArmReply(
        verdict=said.get("verdict", ""),
        reason=said.get("reason", ""),
        smoke="passed" if said.get("smoke") == "passed" else "",
        manifest=said.get("manifest", "") if said.get("manifest") in MANIFEST_SAID else "",
        missing=[word for word in said.get("missing", "").split() if untrusted.SHA256.fits(word)],
    )
    if reply.verdict not in ("", "ok", "refused", "busy"):
        raise FleetdiagError(
            f"the host answers verdict={reply.verdict[:100]!r} to arm, which is none; what runs there ends by itself:"
            " look what answers so, then sweep again"
        )
    for line in lines:
        _unused, _unused2, rest = line.partition("session ") if line.startswith("session ") else ("", "", "")
        probe, state, took, words = (*rest.split(" ", 3), "", "", "", "")[:4]
        if probe in asked and state in SESSION_STATES:
            reply.sessions[probe] = state, float(untrusted.whole(took) or 0), printable(words)
    if reply.verdict == "ok":
        for probe in asked:
            reply.sessions.setdefault(probe, ("late", 0.0, "the host did not say what became of it"))
    return reply
