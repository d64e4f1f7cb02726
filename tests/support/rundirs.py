# SPDX-License-Identifier: GPL-3.0-or-later
"""Run directories made by code, through the store the sweep itself writes with; shared by several tests."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import encode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import EventRecord

if TYPE_CHECKING:
    from pathlib import Path

NONCE = "0123456789abcdef"
START = 1_790_000_000.0
WINDOW_S = 30
SWEEP_ID = "20261123_080000_ab12"

SLOW_OPEN: dict[str, Any] = {
    "description": "Files that stayed open longer than a threshold.",
    "question": "Which files stay open too long, and by whom?",
    "output": "rows",
    "cost": "low",
    "parameters": {
        "threshold_ms": {
            "type": "int",
            "default": 1000,
            "min": 1,
            "max": 3600000,
            "unit": "ms",
            "description": "Shortest time reported.",
        }
    },
    "tables": {
        "slow_files": {
            "description": "Files open longer than the threshold.",
            "sort": "-seconds",
            "columns": {
                "process": {"type": "string", "role": "key", "description": "Process name."},
                "path": {"type": "path", "role": "key", "description": "File name."},
                "seconds": {
                    "type": "duration",
                    "role": "measure",
                    "unit": "us",
                    "merge": "max",
                    "more_is": "worse",
                    "description": "Longest time open.",
                },
                "opens": {
                    "type": "int",
                    "role": "measure",
                    "unit": "1",
                    "merge": "sum",
                    "description": "How many.",
                },
            },
        }
    },
}

NETTOP: dict[str, Any] = {
    "description": "Packets and bytes per process and interface.",
    "question": "Which process uses the network?",
    "output": "rows",
    "cost": "medium",
    "tables": {
        "traffic": {
            "description": "Traffic per process and interface.",
            "interval": True,
            "sort": "-sent",
            "columns": {
                "process": {"type": "string", "role": "key", "description": "Process name."},
                "dev": {"type": "string", "role": "key", "description": "Interface."},
                "packets": {
                    "type": "int",
                    "role": "measure",
                    "unit": "1",
                    "merge": "sum",
                    "description": "Packets sent.",
                },
                "sent": {
                    "type": "bytes",
                    "role": "measure",
                    "unit": "B",
                    "merge": "sum",
                    "rate": True,
                    "more_is": "neutral",
                    "description": "Sent.",
                },
            },
        }
    },
}

CALLTRACE: dict[str, Any] = {
    "description": "Calls of the functions of a file system module.",
    "question": "Where does the file system spend its time?",
    "output": "calltrace",
    "cost": "high",
}

TEXT: dict[str, Any] = {
    "description": "Anything a script prints.",
    "question": "What does it say?",
    "output": "text",
    "cost": "low",
}

MANIFESTS = {"slow_open": SLOW_OPEN, "nettop": NETTOP, "fs_calltrace": CALLTRACE, "notes": TEXT}


def record(table: str, t_ms: int, *fields: object) -> tuple[str, int, tuple[object, ...]]:
    """One record of the line protocol, before it has a number."""
    return (table, t_ms, fields)


def output(
    records: list[tuple[str, int, tuple[object, ...]]],
    *,
    start_ms: int,
    end_ms: int | None,
    reason: str = "window",
    payload: str = "",
    armed_ms: int | None = None,
) -> bytes:
    """What a session prints: control records around the given ones; no @end when `end_ms` is None."""
    armed = start_ms - 4000 if armed_ms is None else armed_ms
    everything = [("@armed", armed - start_ms, (armed,)), ("@start", 0, (start_ms,)), *records]
    lines = [_line(number, *item) for number, item in enumerate(everything, 1)]
    text = "".join(lines) + payload
    if end_ms is not None:
        text += _line(len(lines) + 1, "@end", end_ms - start_ms, (end_ms, reason))
    return text.encode("utf-8", "surrogateescape")


def _line(number: int, table: str, t_ms: int, fields: tuple[object, ...]) -> str:
    return "\t".join([NONCE, str(number), table, str(t_ms), *map(str, fields)]) + "\n"


@dataclass
class Builder:
    """Builds one run directory step by step, as far as the test wants the sweep to have come."""

    runs: Path
    hosts: list[str]
    probes: list[str] = field(default_factory=lambda: ["slow_open"])
    sweep_id: str = SWEEP_ID
    window_s: float = WINDOW_S
    manifests: dict[str, Any] = field(default_factory=lambda: dict(MANIFESTS))
    name: str = ""
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.path = write.create(
            self.runs,
            {
                "id": self.sweep_id,
                "created": "2026-11-23T08:00:00Z",
                "fleetdiag": "0.1.0",
                "window_s": self.window_s,
                "hosts": self.hosts,
                "peers": dict.fromkeys(self.hosts, "web"),
                "probes": [
                    {
                        "name": name,
                        "manifest": self.manifests[name],
                        "script_sha256": hashlib.sha256(name.encode()).hexdigest(),
                        "parameters": {"threshold_ms": 1000} if name == "slow_open" else {},
                        "nonce": NONCE,
                        "hash": hashlib.sha256(name.encode()).hexdigest()[:12],
                    }
                    for name in self.probes
                ],
                "builders": ["builder"],
                "conditions": {},
                **({"name": self.name, "slot": "", "trigger": "hand", "memory": {}} if self.name else {}),
            },
        )

    def preflight(self, host: str, *, offset_s: float = 0.0, **more: Any) -> None:
        facts = {
            "kernel": "6.12.90-amd64",
            "kernel_build_id": "ab" * 20,
            "arch": "x86_64",
            "distribution": "Debian 13",
            "staprun": "5.1",
            "boot_id": "b" * 32,
            "clock": {"offset_s": offset_s, "error_s": 0.004},
            "free_mb": 4000,
            "mem_available_mb": 700,
            "load1": 0.2,
            "cpus": 1,
            "lockdown": "none",
            "sig_enforce": False,
            "verdict": "ok",
            "reason": "",
            "remedy": "",
        }
        write.write_host(self.path, host, "preflight", {**facts, **more})

    def build(
        self, kernel: str = "6.12.90-amd64", failed: dict[str, tuple[str, int | None]] | None = None
    ) -> None:
        probes: dict[str, Any] = {}
        for name in self.probes:
            if failed and name in failed:
                error, line = failed[name]
                probes[name] = {
                    "status": "failed",
                    "sha256": "",
                    "seconds": 3.0,
                    "bytes": 0,
                    "error": error,
                    "line": line,
                }
            else:
                probes[name] = {
                    "status": "built",
                    "sha256": "cd" * 32,
                    "seconds": 6.5,
                    "bytes": 250_000,
                    "error": "",
                    "line": None,
                }
        data = {"kernel": kernel, "builder": "builder", "stap": "5.6", "probes": probes}
        write.write_json(self.path, f"builds/{kernel}.json", data)

    def arm(
        self, host: str, *, failed: dict[str, str] | None = None, skip: tuple[str, ...] = (), **more: Any
    ) -> None:
        sessions = {
            name: {
                "status": "failed" if failed and name in failed else "armed",
                "seconds": 4.0,
                "error": (failed or {}).get(name, ""),
            }
            for name in self.probes
            if name not in skip
        }
        data = {
            "verdict": "ok",
            "reason": "",
            "remedy": "",
            "smoke": "passed",
            "pushed": 1,
            "sessions": sessions,
        }
        write.write_host(self.path, host, "arm", {**data, **more})

    def window(self) -> None:
        write.write_json(self.path, "window.json", {"start": START, "end": START + self.window_s})

    def go(self, host: str, *, offset_s: float = 0.0, late_s: float = 0.0) -> None:
        start = round((START + offset_s) * 1000)
        end = start + round(self.window_s * 1000)
        write.write_host(self.path, host, "go", {"start_ms": start, "end_ms": end, "late_s": late_s})

    def collect(
        self,
        host: str,
        outputs: dict[str, bytes],
        *,
        err: dict[str, str] | None = None,
        sessions: dict[str, dict[str, Any]] | None = None,
        residue: list[str] | None = None,
    ) -> None:
        found: dict[str, Any] = {}
        for name, data in outputs.items():
            packed = gzip.compress(data, mtime=0)
            write.write_host_bytes(self.path, host, f"{name}.out.gz", packed)
            write.write_host_bytes(self.path, host, f"{name}.err", (err or {}).get(name, "").encode())
            found[name] = {
                "result": "success",
                "exit_code": 0,
                "out_bytes": len(data),
                "collected_bytes": len(packed),
                "truncated": False,
                "sha256": hashlib.sha256(data).hexdigest(),
                "cpu_s": 0.8,
                **(sessions or {}).get(name, {}),
            }
        write.write_host(self.path, host, "collect", {"sessions": found, "residue": residue or []})

    def event(self, host: str, phase: str, status: str, message: str = "") -> None:
        write.append_event(
            self.path, EventRecord(START, host, phase=phase, task=phase, status=status, message=message)
        )

    def out(
        self,
        *records: tuple[str, int, tuple[object, ...]],
        offset_s: float = 0.0,
        late_s: float = 0.0,
        early_s: float = 0.0,
        payload: str = "",
        ended: bool = True,
        reason: str = "window",
    ) -> bytes:
        """Output of a session that sampled the window of this run, by a clock that is off by `offset_s`."""
        start = round((START + offset_s + late_s) * 1000)
        end = round((START + offset_s + self.window_s - early_s) * 1000)
        return output(
            list(records), start_ms=start, end_ms=end if ended else None, reason=reason, payload=payload
        )

    def whole(self, host: str, outputs: dict[str, bytes], **more: Any) -> None:
        """A host that went through all phases."""
        self.preflight(host)
        self.arm(host)
        self.go(host)
        self.collect(host, outputs, **more)


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(2)>',
    "a\u2028b",
    "\x1b]0;pwn\x07",
    "\x1b[2J",
    "a\rok: [h1]",
    "\x9b31m",
    "\u202egnp.exe",
    "[bold red]x[/] [link=file:///etc/passwd]y[/link]",
    "{{ 7 * 7 }}{% for x in y %}",
    "=cmd|' /C calc'!A0",
    "日本",
    "x\ty\n" + NONCE + "\t9\troot",
]


def hostile(runs: Path) -> Builder:
    """A run directory in which every text that can come from outside is an attack."""
    hosts = [*HOSTILE, "web1", "\ud800", "../../../evilhost"]
    made = Builder(runs, hosts, list(MANIFESTS))
    made.window()
    evil = "\n".join(HOSTILE)
    made.build(failed={"nettop": (evil, 3)})
    for place, host in enumerate(HOSTILE):
        reason = {"reason": host, "remedy": host}
        if place % 3 == 0:
            made.preflight(host, verdict="refused", kernel=host, **reason)
        elif place % 3 == 1:
            made.event(host, host, "unreachable", host)
        else:
            made.preflight(host, distribution=host, staprun=host)
            made.arm(host, verdict="failed", **reason)
    made.preflight("web1")
    made.arm("web1", failed={"nettop": evil})
    made.go("web1")
    names = [encode(text).decode() for text in HOSTILE]
    rows = [record("slow_files", 9, name, name, 2_000_000 + n, 1) for n, name in enumerate(names)]
    calls = "".join(
        f"     0 {encode(t.encode()[:12].decode(errors='ignore')).decode()}(7): ->f{n}\n"
        for n, t in enumerate(HOSTILE)
    )
    raw = {name: made.out(payload=evil + "\n") for name in ("notes", "fs_calltrace")}
    raw["fs_calltrace"] = made.out(payload=calls + evil + "\n")
    made.collect(
        "web1",
        {"slow_open": made.out(*rows) + evil.encode(errors="replace"), **raw},
        err={"slow_open": "".join(f"WARNING: {text}\n" for text in HOSTILE)},
        sessions={"slow_open": {"result": evil}},
        residue=HOSTILE,
    )
    return made
