# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of `guard.sh`: its verbs as methods, its answers as plain data.

How a command reaches the host is the caller's business (`Run`), so this module knows nothing of Ansible or ssh.
Every line of an answer comes from a probed host and is not trusted: checksums are verified, names are looked up in
what was asked for, sizes are bounded.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable

Run = Callable[[str, bytes | None], tuple[int, str, str]]
"""(shell command, standard input) -> (exit code, stdout, stderr), as root on one host."""

FILES = Path(__file__).resolve().parents[2] / "roles" / "sweep" / "files"
GUARD_DIR = "/var/lib/fleetdiag/guard"
CLOCK_SAMPLES = 3
MAX_ERR_BYTES = 1 << 20
REDACTION_GROWTH = 2
"""Output may be this many times what its session printed: `***` can be longer than the secret it stands for."""


@dataclass(frozen=True)
class Clock:
    """Clock of a host against the controller's: host time = controller time + offset_s, give or take error_s."""

    offset_s: float
    error_s: float


@dataclass(frozen=True)
class SessionPlan:
    """One module to arm: `values` are the globals set at load, in the order given."""

    probe: str
    sha256: str
    output_mb: int
    values: Sequence[tuple[str, str]]


@dataclass
class ArmReply:
    """verdict: ok, refused or busy. sessions: probe -> (state armed|failed|late, seconds, what was said)."""

    verdict: str = ""
    reason: str = ""
    smoke: str = ""
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
    """sessions in the host's order; residue: modules of the sweep that could not be unloaded."""

    sessions: list[Session] = field(default_factory=list)
    residue: list[str] = field(default_factory=list)


class Guard:
    """guard.sh on one host."""

    def __init__(self, run: Run, *, script: bytes | None = None) -> None:
        self._run = run
        self._script = _program() if script is None else script
        self.path = f"{GUARD_DIR}/{hashlib.sha256(self._script).hexdigest()[:16]}.sh"

    def install_and_preflight(self) -> dict[str, str]:
        """Put guard.sh on the host and ask what the host can do; one round trip. Keys as guard.sh prints them."""
        return dict(_pairs(self._install_and("preflight")))

    def install_and_abort(self) -> Aborted:
        """Put guard.sh on the host and end everything of every sweep there; one round trip, safe to repeat."""
        lines = self._install_and("abort")
        if "abort=complete" not in lines:
            raise FleetdiagError("the host did not say that all has ended: abort again")
        aborted = Aborted()
        for line in lines:
            words = line.split()
            if words[:1] == ["aborted"] and len(words) == 3 and words[2].isdigit():
                aborted.sweeps[printable(words[1])] = int(words[2])
            elif words[:1] == ["residue"]:
                aborted.residue.append(printable(line.partition(" ")[2]))
        return aborted

    def put(self, sha256: str, module: bytes) -> None:
        """Send a compiled module; the host keeps it only if the checksum is right."""
        reply = dict(_pairs(self._call(f"put {sha256}", gzip.compress(module, 6, mtime=0))))
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
    ) -> ArmReply:
        """Start the sessions and wait until each is armed, has failed, or `timeout_s` is over.

        smoke: checksum of the trivial module that must run first, or empty when it has run here before.
        redact: take secrets out of what they print before any of it leaves the host.
        The reply names `missing` modules instead when the host does not hold all of them; nothing is started then.
        """
        lines = [f"id {sweep}", f"ttl {ttl_s}", f"arm_timeout {timeout_s}", f"smoke {smoke}"]
        lines.append(f"redact {'yes' if redact else 'no'}")
        for plan in plans:
            values = " ".join(f"{name}={value}" for name, value in plan.values)
            lines.append(f"probe {plan.probe} {plan.sha256} {plan.output_mb} {values}")
        return _arm_reply(self._call("arm", ("\n".join(lines) + "\n").encode()))

    def go(self, sweep: str, start_ms: int, end_ms: int) -> dict[str, bool]:
        """Give every session its window in the host's clock; {probe: accepted}."""
        words = (line.split() for line in self._call(f"go {sweep} {start_ms} {end_ms}", None))
        return {word[1]: word[2] == "ok" for word in words if len(word) == 3 and word[0] == "go"}

    def collect(self, sweep: str, limits: dict[str, int]) -> Collected:
        """End the sessions and take their output; limits: {probe: bytes of output accepted}, other names are refused."""
        return read_collected(self._call(f"collect {sweep}", None), limits)

    def forget(self, sweep: str) -> None:
        """Remove the spool of a sweep that was collected."""
        self._call(f"forget {sweep}", None)

    def _install_and(self, verb: str) -> list[str]:
        place = (
            f"umask 077; mkdir -p {GUARD_DIR} && cat >{self.path}.$$ && mv {self.path}.$$ {self.path} "
            f"&& /bin/sh {self.path} {verb}"
        )
        return self._answer(verb, place, self._script)

    def _call(self, verb: str, data: bytes | None) -> list[str]:
        return self._answer(verb.split()[0], f"/bin/sh {self.path} {verb}", data)

    def _answer(self, verb: str, command: str, data: bytes | None) -> list[str]:
        code, out, err = self._run(command, data)
        lines = out.splitlines()
        said = [line[len("error=") :] for line in lines if line.startswith("error=")]
        if said:
            raise FleetdiagError(printable(said[-1]))
        if code:
            last = (err.strip() or out.strip() or f"exit code {code}").splitlines()[-1]
            raise FleetdiagError(f"{verb} failed on the host: {printable(last[:500])}")
        return lines


def _program() -> bytes:
    """guard.sh with the rules of redact.sed behind its last line: one file, sent in one piece."""
    return (FILES / "guard.sh").read_bytes() + b"#redact.sed\n" + (FILES / "redact.sed").read_bytes()


def measure_clock(read_clock: Callable[[], str], *, now: Callable[[], float] = time.time) -> Clock:
    """Compare clocks by asking a few times and keeping the quickest answer; the error is half its round trip.

    read_clock: returns the host's `date +%s.%N`. Raises FleetdiagError if no answer was a time.
    """
    best: Clock | None = None
    for _ in range(CLOCK_SAMPLES):
        sent = now()
        answer = read_clock()
        received = now()
        try:
            host = float(answer.strip())
        except ValueError:
            continue
        sample = Clock(host - (sent + received) / 2, (received - sent) / 2)
        if best is None or sample.error_s < best.error_s:
            best = sample
    if best is None:
        raise FleetdiagError("the host's clock could not be read: does it have GNU or busybox `date`?")
    return best


def read_collected(lines: Iterable[str], limits: dict[str, int]) -> Collected:
    """The answer of `guard.sh collect` as data; a transfer that is cut, altered or not asked for is an error."""
    collected = Collected()
    heads: dict[str, list[str]] = {}
    payload: dict[tuple[str, str], bytes] = {}
    complete = False
    for line in lines:
        kind, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if kind == "residue":
            collected.residue.append(printable(rest))
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
        raise FleetdiagError("the output did not arrive whole; it is still on the host: collect again")
    for name, head in heads.items():
        collected.sessions.append(_session(name, head, payload, limits[name]))
    return collected


def _session(name: str, head: list[str], payload: dict[tuple[str, str], bytes], limit: int) -> Session:
    try:
        result, status, cpu_us, size, sha256, printed, changed = head
        cpu_s, out_bytes, printed_bytes = int(cpu_us) / 1e6, int(size), int(printed)
        redacted = None if changed == "-" else int(changed)
    except ValueError:
        raise FleetdiagError(
            f"session {name}: the host's answer cannot be read: {printable(' '.join(head)[:200])!r}"
        ) from None
    out_gz = payload.get(("out", name), b"")
    if _digest(name, out_gz, limit) != sha256:
        raise FleetdiagError(
            f"session {name}: the output has another checksum after the transfer: collect again"
        )
    with gzip.GzipFile(fileobj=io.BytesIO(payload.get(("err", name), b""))) as stream:
        err = stream.read(MAX_ERR_BYTES)
    return Session(
        name,
        printable(result),
        printable(status),
        cpu_s,
        out_bytes,
        sha256,
        printed_bytes,
        redacted,
        out_gz,
        err,
    )


def _digest(name: str, out_gz: bytes, limit: int) -> str:
    """SHA-256 of the uncompressed output, read in pieces; more than `limit` bytes are refused."""
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
        raise FleetdiagError(f"session {name}: the output is not readable gzip: collect again") from None
    return digest.hexdigest()


def _decoded(name: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise FleetdiagError(f"session {name}: the output is not readable base64: collect again") from None


def _arm_reply(lines: Iterable[str]) -> ArmReply:
    reply = ArmReply()
    for line in lines:
        if line.startswith("session "):
            words = (*line.split(" ", 4), "", "", "")
            reply.sessions[printable(words[1])] = (
                printable(words[2]),
                _seconds(words[3]),
                printable(words[4]),
            )
            continue
        for key, value in _pairs([line]):
            if key == "missing":
                reply.missing = value.split()
            elif key in ("verdict", "reason", "smoke"):
                setattr(reply, key, value)
    return reply


def _seconds(word: str) -> float:
    return float(word) if word.isdigit() else 0.0


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, found, value = line.partition("=")
        if found:
            yield key, printable(value.strip())
