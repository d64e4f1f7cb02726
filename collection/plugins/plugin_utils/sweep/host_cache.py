# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of each host between sweeps, so that a sweep need not ask it again.

A host's memory is plain JSON data, written when its output has been collected:

    facts     its preflight.json; true until the host is booted again, which it checks itself when it is armed
    stap      the SystemTap that built its modules; signer: whose signature they carry
    clock_at  when its clock was last compared with ours
    contact_s how long one command took there, the session's own waiting aside; at_once: among how many hosts;
              place_s: how long one of these places was taken for a host, Ansible's own work included
    arming    {key of a set of modules: seconds from the command to the last armed session}

It is advice, never truth: without it, or with a wrong one, a sweep takes a round trip more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import Contact

KEEP_ARMINGS = 32
DRIFT = 2e-5  # of a clock that nobody sets
UNKNOWN_CLOCK_S = 86400.0
MAX_BYTES = 1 << 20
MAX_CONTACT_S = 600.0
MAX_PLACE_S = 120.0
"""No command and no place takes longer where a window is foreseen; what says so was measured while a clock was set."""
CLOCK_SET_S = 0.5
"""Two looks at a clock within one sweep differ by more only where it was set between them."""


def default_dir() -> Path:
    """Beside the run directories: `~/.local/state/fleetdiag/hosts`."""
    return names.default_runs_dir().parent / "hosts"


def modules_key(checksums: Iterable[str]) -> str:
    """One name for a set of modules: the same probes, built from the same scripts for the same kernel."""
    return hashlib.sha256(" ".join(sorted(checksums)).encode()).hexdigest()[:16]


class HostMemory:
    """One small file for each host below a directory of the user's own; what cannot be read was never remembered."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = default_dir() if directory is None else directory

    def get(self, host: str) -> dict[str, Any] | None:
        """What is known of the host, or None. A file that cannot be used is written anew after the next sweep."""
        data = self.read(host)
        if not isinstance(data.get("facts"), dict) or preflight.unusable(data["facts"]):
            return None
        return {**data, "arming": armings(data)}

    def read(self, host: str) -> dict[str, Any]:
        """Return what the host's file holds, whatever that is; an empty object where it cannot be read."""
        try:
            with self._path(host).open("rb") as handle:
                data = json.loads(handle.read(MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) and data.get("host") == host else {}

    def put(self, host: str, memory: Mapping[str, Any]) -> None:
        """Remember it. Where that cannot be done, the next sweep asks again."""
        path = self._path(host)
        new = path.with_name(f".{secrets.token_hex(8)}.tmp")
        with contextlib.suppress(OSError):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                    json.dump({**memory, "host": host}, handle)
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)

    def forget(self, host: str) -> None:
        """Its facts are not true any more."""
        with contextlib.suppress(OSError):
            self._path(host).unlink()

    def _path(self, host: str) -> Path:
        return self.directory / f"{names.host_dir(host)}.json"


def clock_now(memory: Mapping[str, Any], now: float) -> Clock:
    """The host's clock as it was read last, with the error that it may have got since then."""
    clock, at = Clock.stored(memory["facts"].get("clock")), memory.get("clock_at")
    age = untrusted.seconds(max(0.0, now - at)) if isinstance(at, (int, float)) else None
    if clock is None or age is None:
        return Clock(0.0, UNKNOWN_CLOCK_S)
    return Clock(clock.offset_s, clock.error_s + DRIFT * age)


def armings(memory: Mapping[str, Any] | None) -> dict[str, float]:
    """Return `arming` of a memory without what is no duration."""
    kept = (memory or {}).get("arming")
    found = {str(key): untrusted.seconds(took) for key, took in kept.items()} if isinstance(kept, dict) else {}
    return {key: took for key, took in found.items() if took is not None}


def contact(memory: Mapping[str, Any] | None, otherwise_s: object, forks: int) -> Contact:
    """Return how a host was reached before; where that is not known it is as slow as `otherwise_s`."""
    known = memory or {}
    took = untrusted.seconds(known.get("contact_s"), MAX_CONTACT_S)
    if took is None:
        took = untrusted.seconds(otherwise_s, MAX_CONTACT_S) or 0.0
    at_once = known.get("at_once")
    places = at_once if isinstance(at_once, int) and 1 <= at_once <= 10_000 else forks
    return Contact(took, places, untrusted.seconds(known.get("place_s"), MAX_PLACE_S))


def was_set(before: Clock, after: Clock | None) -> bool:
    """Return whether a host's clock was set between two looks at it, or may have been: the second said nothing."""
    if after is None:
        return True
    return abs(after.offset_s - before.offset_s) > before.error_s + after.error_s + CLOCK_SET_S


def with_arming(before: Mapping[str, Any] | None, key: str, seconds: float | None) -> dict[str, float]:
    """`arming` of a host's next memory. A quicker time than the last counts half, so that one misleads nobody.

    seconds: None if not all sessions were armed in time. What was known is forgotten then: the next sweep arms first and
    chooses its window afterwards, however slow the host has become. What is no duration was not measured: what was known
    stays.
    """
    arming = armings(before)
    if seconds is not None and untrusted.seconds(seconds) is None:
        return arming
    last = arming.pop(key, None)
    if seconds is not None:
        known = seconds if last is None else last
        arming[key] = round(max(seconds, (known + seconds) / 2), 3)
    return dict(list(arming.items())[-KEEP_ARMINGS:])
