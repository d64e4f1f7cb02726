# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of `guard.sh`: its verbs as methods. What it answers is read in `hostctl_replies`.

How a command reaches the host is the caller's business (`Run`), so this module knows nothing of Ansible or ssh.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_program
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import answered_clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import (
    Aborted,
    ArmReply,
    Collected,
    arm_reply,
    read_collected,
)

Run = Callable[[str, bytes | None], tuple[int, str, str]]
"""(shell command, standard input) -> (exit code, stdout, stderr), as root on one host."""

GUARD_DIR = "/var/lib/fleetdiag/guard"

ARM_WORDS = ("came=", "verdict=", "missing=", "error=", "stale=")
REDACTION_GROWTH = 2
"""Output may be this many times what its session printed: `***` can be longer than the secret it stands for."""


@dataclass(frozen=True)
class SessionPlan:
    """One module to arm: `values` are the globals set at load, in the order given."""

    probe: str
    sha256: str
    output_mb: int
    values: Sequence[tuple[str, str]]


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
            manifest = (self._signer or signing.own()).sign(signing.module_list(sweep, named))
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
        reply = arm_reply(answer, [plan.probe for plan in plans])
        reply.clock = answered_clock(answer, sent, received)
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
        collected.clock = answered_clock(lines, sent, received)
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
    return host_program.text() + signers + (host_program.FILES / "redact.sed").read_bytes()


def _packed(module: bytes) -> bytes:
    return gzip.compress(module, 6, mtime=0)
