# SPDX-License-Identifier: GPL-3.0-or-later
"""What guard.sh answers, as plain data.

Every line comes from a probed host and is not trusted: checksums are verified, names are looked up in what was asked
for, sizes are bounded.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock

_STILL_THERE = "it is still on the host, bring it with: fleetdiag collect"
SESSION_STATES = ("armed", "started", "failed", "late")
MANIFEST_SAID = ("verified", "unverified")
MAX_ERR_BYTES = 1 << 20
PACKED_MORE = 1024
"""Packed output is never longer than what it unpacks to by more than this and one per cent."""


class TransferError(FleetdiagError):
    """What a host handed over did not arrive as it left; it is still there."""


@dataclass
class ArmReply:
    """verdict: ok, refused or busy. sessions: probe -> (state armed|started|failed|late, seconds, what was said).

    stale: what the controller remembers of the host is not true any more, or it was never prepared; nothing was
    started. facts: how it is now, as `install_and_preflight` says it; none where guard.sh is not there.
    clock: what its answer says about its clock.
    manifest: verified, or unverified where the host has no ssh-keygen that could.
    """

    verdict: str = ""
    reason: str = ""
    smoke: str = ""
    stale: str = ""
    facts: dict[str, str] = field(default_factory=dict)
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


def arm_reply(lines: Sequence[str], asked: Sequence[str]) -> ArmReply:
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
