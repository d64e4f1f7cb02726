# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets for the page: run directories with every kind of view in them, and findings made by hand. Used by the
unit tests, the browser tests and the benchmark of the page."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import median
from typing import Any

import rundirs
from rundirs import record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Comparison, Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import MergedTable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

PROBES = ["slow_open", "nettop", "disktop", "latency", "errors", "fs_calltrace"]
DEVICES = ("vda", "vdb")


def _column(kind: str, role: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "role": role, "description": "What it says.", **more}


def _rows(what: str, tables: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": f"{what}.",
        "question": f"{what}?",
        "output": "rows",
        "cost": "low",
        "tables": tables,
    }


SLOW_OPEN = _rows(
    "Files open for long",
    {
        "files": {
            "description": "One row for each file that was open for long.",
            "sort": "-seconds",
            "columns": {
                "process": _column("string", "key"),
                "pid": _column("int", "key"),
                "seconds": _column("duration", "measure", unit="us", merge="max", more_is="worse"),
                "path": _column("path", "key"),
                "still_open": _column("bool", "measure", merge="last"),
            },
        }
    },
)

NETTOP = _rows(
    "Traffic of each process",
    {
        "traffic": {
            "description": "One row per interval for each process and interface.",
            "interval": True,
            "sort": "-sent_bytes",
            "columns": {
                "pid": _column("int", "key"),
                "process": _column("string", "key"),
                "interface": _column("string", "key"),
                "sent_packets": _column("int", "measure", merge="sum"),
                "received_packets": _column("int", "measure", merge="sum"),
                "sent_bytes": _column("bytes", "measure", unit="B", merge="sum"),
                "received_bytes": _column("bytes", "measure", unit="B", merge="sum"),
            },
        }
    },
)

DISKTOP = _rows(
    "Bytes read and written by each process",
    {
        "transfers": {
            "description": "One row per interval for each process and disk.",
            "interval": True,
            "sort": "-write_bytes",
            "columns": {
                "uid": _column("int", "key"),
                "pid": _column("int", "key"),
                "ppid": _column("int", "key"),
                "process": _column("string", "key"),
                "device": _column("string", "key"),
                "read_bytes": _column("bytes", "measure", unit="B", merge="sum", rate=True),
                "write_bytes": _column("bytes", "measure", unit="B", merge="sum", rate=True),
            },
        }
    },
)

LATENCY: dict[str, Any] = {
    "description": "How long requests to disks took, as a histogram per interval.",
    "question": "How long do requests to each disk take?",
    "output": "rows",
    "cost": "low",
    "tables": {
        "requests": {
            "description": "One row per interval, disk and time that requests took.",
            "interval": True,
            "sort": "at_least",
            "columns": {
                "device": {"type": "string", "role": "key", "description": "The disk."},
                "at_least": {
                    "type": "duration",
                    "unit": "us",
                    "role": "key",
                    "label": "took at least",
                    "description": "This long or longer, but less than twice as long.",
                },
                "requests": {"type": "int", "role": "measure", "merge": "sum", "description": "How many."},
            },
            "views": [
                {"kind": "histogram", "bucket": "at_least", "measure": "requests"},
                {"kind": "heatmap", "bucket": "at_least", "measure": "requests"},
            ],
        }
    },
}

ERRORS: dict[str, Any] = {
    "description": "System calls that failed, by process and error.",
    "question": "Which system calls fail, in which process?",
    "output": "rows",
    "cost": "low",
    "tables": {
        "failures": {
            "description": "One row for each process, system call and error.",
            "sort": "-count",
            "columns": {
                "process": {"type": "string", "role": "key", "description": "Name of the process."},
                "syscall": {"type": "string", "role": "key", "description": "The system call."},
                "error": {"type": "string", "role": "key", "description": "The error."},
                "count": {
                    "type": "int",
                    "role": "measure",
                    "merge": "sum",
                    "more_is": "worse",
                    "label": "failed calls",
                    "description": "How many failed.",
                },
            },
        }
    },
}


def manifests() -> dict[str, Any]:
    """A probe for every kind of view."""
    own = {"slow_open": SLOW_OPEN, "nettop": NETTOP, "disktop": DISKTOP, "latency": LATENCY, "errors": ERRORS}
    return {**rundirs.MANIFESTS, **own}


def fleet(runs: Path, hosts: int, odd: int | None = None, rows: int = 12, seed: int = 7) -> rundirs.Builder:
    """So many hosts that are alike, but for `odd`: slow files, much traffic, slow disk, slow call trees. One
    host starts late; of more than three the last is refused."""
    names = [f"web{number:03}" for number in range(1, hosts + 1)]
    made = rundirs.Builder(runs, names, PROBES, manifests=manifests())
    made.window()
    made.build()
    dice = random.Random(seed)  # noqa: S311 - the same fleet every time
    for number, host in enumerate(names):
        if hosts > 3 and number == hosts - 1:
            made.preflight(
                host,
                verdict="refused",
                reason="staprun 4.8 is too old for the modules of this builder",
                remedy="install systemtap-runtime 5.1 or newer",
            )
            continue
        outputs = _outputs(made, dice, rows, odd is not None and number == odd)
        if number == 1:
            late = [record("files", 9000, "cron", 77, 1_200_000, "/var/spool/cron", 0)]
            outputs["slow_open"] = made.out(*late, late_s=3.2)
        made.whole(host, outputs)
    return made


def _outputs(made: rundirs.Builder, dice: random.Random, rows: int, odd: bool) -> dict[str, bytes]:
    ends = [5000 * n for n in range(1, 7)]
    slow = [
        record("files", 9000, "httpd", 4000 + n, 1_000_000 * (n + 2), f"/var/www/html/slow_{n}.html", n % 2)
        for n in range(14 if odd else 0)
    ]
    traffic = [
        record(
            "traffic",
            t,
            300 + n,
            f"worker{n}",
            "eth0",
            n + 1,
            n + 2,
            _about(dice, 40_000 / (n + 1), odd),
            900,
        )
        for t in ends
        for n in range(rows)
    ]
    disk = [
        record("transfers", t, 0, 400 + n, 1, f"writer{n}", "vda", 4096 * n, _about(dice, 90_000 / (n + 1)))
        for t in ends
        for n in range(rows)
    ]
    waits = [
        record("requests", t, device, 2**step, count)
        for t in ends
        for device in DEVICES
        for step in range(4, 18)
        if (count := _requests(dice, step, odd and device == "vdb"))
    ]
    failed = [
        record("failures", 30_000, f"worker{n % 5}", "openat", f"E{n}", _about(dice, 500 / (n + 1)))
        for n in range(rows)
    ]
    calls = "".join(_calls(dice, n, odd) for n in range(20))
    return {
        "slow_open": made.out(*slow),
        "nettop": made.out(*traffic),
        "disktop": made.out(*disk),
        "latency": made.out(*waits),
        "errors": made.out(*failed),
        "fs_calltrace": made.out(payload=calls),
    }


def _about(dice: random.Random, value: float, odd: bool = False) -> int:
    return round(value * dice.uniform(0.8, 1.25) * (9 if odd else 1))


def _requests(dice: random.Random, step: int, odd: bool) -> int:
    middle = 12 if odd else 8
    return round(400 * dice.uniform(0.8, 1.2) * 2.0 ** -abs(step - middle) - 0.4)


def _calls(dice: random.Random, turn: int, odd: bool) -> str:
    """One directory read, as `thread_indent()` prints it; times are microseconds since the thread's first."""
    slow = 6 if odd else 1
    now = 0
    lines: list[str] = []

    def call(depth: int, name: str, own: float, *inner: tuple[Any, ...]) -> None:
        nonlocal now
        lines.append(f"{now:6} ls({900 + turn}): {'  ' * depth}-> {name}\n")
        now += max(1, round(own * dice.uniform(0.8, 1.25)))
        for item in inner:
            call(depth + 1, *item)
        lines.append(f"{now:6} ls({900 + turn}): {'  ' * depth}<- {name}\n")

    call(0, "ext4_dir_open", 60)
    call(
        0,
        "ext4_readdir",
        40,
        (
            "htree_dirblock_to_tree",
            90,
            ("ext4_read_dirblock", 150 * slow),
            ("ext4fs_dirhash", 70),
            ("ext4_check_dir", 30),
        ),
        ("call_filldir", 25),
    )
    call(0, "ext4_release_dir", 12)
    return "".join(lines)


def tell(report: Report, host: str) -> Report:
    """Findings about one host and what they were compared with, as the findings' own code would make them."""
    report.findings, report.comparisons = [], []
    tables = {(item.probe, item.table.name): item for probe in report.probes for item in probe.tables}
    for name, measure in (
        (("slow_open", "files"), "seconds"),
        (("nettop", "traffic"), "sent_bytes"),
        (("disktop", "transfers"), "write_bytes"),
        (("errors", "failures"), "count"),
    ):
        if name in tables:
            report.comparisons.append(_compared(report, tables[name], measure, host))
    for item in report.comparisons:
        if item.found:
            report.findings.append(_found(tables[item.probe, item.table], item, host))
    if any(probe.name == "fs_calltrace" and probe.fleet_calls for probe in report.probes):
        path = ("ls", "ext4_readdir", "htree_dirblock_to_tree", "ext4_read_dirblock")
        report.findings.append(
            Finding(
                severity="info",
                kind="calls",
                host=host,
                probe="fs_calltrace",
                table="",
                measure="total",
                key=path,
                sentence=f"{host}: ext4_read_dirblock takes 6 times as long per call as on the others",
                value=0.0009,
                unit="s",
                type="duration",
                expected=0.00015,
                ratio=6.0,
                peers=len(report.probes[0].sampled) - 1,
            )
        )
    order = ("critical", "warning", "info")
    report.findings.sort(key=lambda item: order.index(item.severity))
    report.verdict = f"{host}: {len(report.findings)} findings; {len(report.coverage)} hosts"
    report.peers = {row.host: "web" for row in report.coverage}
    return report


def _compared(report: Report, merged: MergedTable, measure: str, host: str) -> Comparison:
    at = [item.name for item in merged.table.measures].index(measure)
    sampled = next(probe for probe in report.probes if probe.name == merged.probe).sampled
    known = {item.host: item.total.values[at] for item in merged.hosts}
    values = {name: float(known.get(name) or 0) for name in sampled}
    middle = median(values.values())
    spread = median(abs(value - middle) for value in values.values()) or 0.05 * abs(middle) or 0.1
    scores = {
        name: max(-99.0, min(99.0, (value - middle) / (1.48 * spread))) for name, value in values.items()
    }
    column = merged.table.measures[at]
    return Comparison(
        probe=merged.probe,
        table=merged.table.name,
        measure=measure,
        label=column.words,
        peer_set="web",
        values=values,
        scores=scores,
        unit=column.shown_unit,
        type=column.type,
        more_is=column.more_is,
        median=middle,
        spread=spread,
        found=(host,) if scores.get(host, 0) > 20 else (),
    )


def _found(merged: MergedTable, item: Comparison, host: str) -> Finding:
    rows = next(table.rows for table in merged.hosts if table.host == host)[:5]
    value = item.values[host]
    return Finding(
        severity="critical" if item.probe == "slow_open" else "warning",
        kind="compare",
        host=host,
        probe=item.probe,
        table=item.table,
        measure=item.measure,
        sentence=f"{host}: {item.label} {value:,.0f}; the others' median: {item.median:,.0f}",
        value=value,
        unit=item.unit,
        type=item.type,
        peers=len(item.values) - 1,
        peer_set="web",
        expected=item.median,
        spread=item.spread,
        ratio=value / item.median if item.median else None,
        score=item.scores[host],
        chance=0.0002,
        rows=tuple((row.host, row.key, row.values) for row in rows),
    )
