# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decided about findings: decisions.jsonl beside the run directories, only ever added to."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

FILE = "decisions.jsonl"
MAX_BYTES = 8 * 1024 * 1024
_FINGERPRINT = re.compile(r"[0-9a-f]{4,12}")


@dataclass(frozen=True)
class Decision:
    """what: `ack` (quiet until a time, for a reason) or `accept` (the new normal). at, until: ISO 8601, UTC."""

    what: Literal["ack", "accept"]
    fingerprint: str
    at: str
    by: str = ""
    until: str = ""
    why: str = ""


def acknowledge(runs_dir: Path, fingerprint: str, until: datetime, why: str, by: str, now: datetime) -> None:
    """Keep a finding quiet for a time. FleetdiagError without a reason, or for a time that has passed."""
    if not why.strip():
        raise FleetdiagError("an acknowledgement needs a reason: --why TEXT")
    if until <= now:
        raise FleetdiagError(f"--until: {_iso(until)} has passed; name a time to come, as 7d or 2026-12-24")
    append(runs_dir, FILE, Decision("ack", fingerprint, _iso(now), by, _iso(until), why.strip()))


def accept(runs_dir: Path, fingerprint: str, by: str, now: datetime) -> None:
    """Take what a finding tells of as the new normal, from the next sweep on."""
    append(runs_dir, FILE, Decision("accept", fingerprint, _iso(now), by))


def read(runs_dir: Path) -> list[Decision]:
    """Return all decisions in the order they were made; a damaged line is none."""
    return [found for item in read_lines(runs_dir / FILE) if (found := _decision(item)) is not None]


def _decision(item: Mapping[str, Any]) -> Decision | None:
    said = {key: str(item.get(key, "")) for key in ("fingerprint", "at", "by", "until", "why")}
    what = item.get("what")
    if what not in ("ack", "accept") or not _FINGERPRINT.fullmatch(said["fingerprint"]):
        return None
    return Decision(what, **said)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


# --- files of lines ---


def append(folder: Path, name: str, line: Any) -> None:
    """Add one dataclass as a line of JSON, whole or not at all visible; a torn line before it stays one of its own."""
    text = json.dumps(asdict(line)).encode()
    path = folder / name
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; nothing was noted") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        os.write(fd, (b"\n" if torn else b"") + text + b"\n")
        os.fsync(fd)
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; make room and say it again") from error
    finally:
        os.close(fd)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a file of lines; a missing file has none, damaged lines are left out."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as handle:
            data = handle.read(MAX_BYTES)
    except OSError:
        return []
    found = []
    for line in data.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            item = json.loads(line)
            if isinstance(item, dict):
                found.append(item)
    return found
