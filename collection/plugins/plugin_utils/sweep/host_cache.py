# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller remembers of each host between sweeps, so that a sweep need not ask it again.

A host's memory is plain JSON data, written when its output has been collected:

    facts     its preflight.json; true until the host is booted again, which it checks itself when it is armed
    stap      the SystemTap that built its modules; signer: whose signature they carry
    clock_at  when its clock was last compared with ours
    arming    {key of a set of modules: {seconds, hosts}}: from the beginning of the arming phase until its sessions were
              armed, and how many hosts were armed with it

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
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import ArmRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.windows import WindowRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import Clock
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.window import Arming

KEEP_ARMINGS = 32
DRIFT = 2e-5  # of a clock that nobody sets
UNKNOWN_CLOCK_S = 86400.0
MAX_BYTES = 1 << 20
MAX_HOSTS = 100_000


def default_dir() -> Path:
    """Return the directory beside the run directories: `~/.local/state/fleetdiag/hosts`."""
    return names.default_runs_dir().parent / "hosts"


def modules_key(checksums: Iterable[str]) -> str:
    """Return one name for a set of modules: the same probes, built from the same scripts for the same kernel."""
    return hashlib.sha256(" ".join(sorted(checksums)).encode()).hexdigest()[:16]


class HostMemory:
    """One small file for each host below a directory of the user's own; what cannot be read was never remembered."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = default_dir() if directory is None else directory

    def get(self, host: str) -> dict[str, Any] | None:
        """Return what is known of the host, or None. A file that cannot be used is written anew after the next sweep."""
        data = self.read(host)
        if not isinstance(data.get("facts"), dict) or preflight.unusable(data["facts"]):
            return None
        return data

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
        """Forget the host: its facts are not true any more."""
        with contextlib.suppress(OSError):
            self._path(host).unlink()

    def _path(self, host: str) -> Path:
        return self.directory / f"{names.host_dir(host)}.json"


def clock_now(memory: Mapping[str, Any], now: float) -> Clock:
    """Return the host's clock as it was read last, with the error that it may have got since then."""
    clock, at = Clock.stored(memory["facts"].get("clock")), memory.get("clock_at")
    age = untrusted.seconds(max(0.0, now - at)) if isinstance(at, (int, float)) else None
    if clock is None or age is None:
        return Clock(0.0, UNKNOWN_CLOCK_S)
    return Clock(clock.offset_s, clock.error_s + DRIFT * age)


def armings(memory: Mapping[str, Any] | None) -> dict[str, Arming]:
    """Return `arming` of a memory by set of modules, without what no arming can have taken."""
    kept = (memory or {}).get("arming")
    found = {str(key): _arming(one) for key, one in kept.items()} if isinstance(kept, dict) else {}
    return {key: one for key, one in found.items() if one is not None}


def measured(window: WindowRecord, armed: ArmRecord) -> Arming | None:
    """Return how the arming of a host went; None where that is not known."""
    if window.began is None or window.among is None or armed.ended is None:
        return None
    return _arming({"seconds": armed.ended - window.began, "hosts": round(window.among)})


def _arming(data: object) -> Arming | None:
    if not isinstance(data, dict):
        return None
    seconds, hosts = untrusted.seconds(data.get("seconds")), data.get("hosts")
    if (
        seconds is None
        or not isinstance(hosts, int)
        or isinstance(hosts, bool)
        or not 1 <= hosts <= MAX_HOSTS
    ):
        return None
    return Arming(seconds, hosts)


def with_arming(
    before: Mapping[str, Any] | None, key: str, now: Arming, *, late: bool
) -> dict[str, dict[str, Any]]:
    """Return `arming` of a host's next memory, with what was measured now.

    late: it was not armed when the window came, so that it takes longer, and at least as long as was known.
    """
    arming = armings(before)
    last = arming.pop(key, None)
    if late and last and last.seconds > now.seconds:
        now = last
    kept = [*arming.items(), (key, now)][-KEEP_ARMINGS:]
    return {name: {"seconds": round(one.seconds, 3), "hosts": one.hosts} for name, one in kept}
