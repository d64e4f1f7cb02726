# SPDX-License-Identifier: GPL-3.0-or-later
"""Run directories with very many rows, as the shipped probe nettop prints them: for the benchmark of the merge."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rundirs
import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write

PROBE = "nettop"
INTERVAL_S = 5
KEYS = 200
"""Rows of an interval: as many as nettop prints at most."""
_NAMES = [f"worker-{number}" for number in range(40)]


def manifest() -> dict[str, Any]:
    """The manifest of the probe as it is shipped."""
    text = (catalog.shipped() / PROBE / "probe.yml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def fleet(runs: Path, hosts: int, rows: int, *, new_keys: bool = False) -> rundirs.Builder:
    """So many hosts with so many rows each. new_keys: no two rows of a host have the same process number."""
    os.fsync = lambda _fd: None  # thousands of small files that nobody will miss
    intervals = max(1, rows // KEYS)
    names = [f"web{number:04}" for number in range(1, hosts + 1)]
    made = rundirs.Builder(
        runs, names, [PROBE], window_s=intervals * INTERVAL_S, manifests={PROBE: manifest()}
    )
    made.window()
    made.build()
    for number, host in enumerate(names):
        made.preflight(host)
        made.arm(host)
        made.go(host)
        _collect(made, host, _output(made, random.Random(number), rows, new_keys))  # noqa: S311
    return made


def _output(made: rundirs.Builder, dice: random.Random, rows: int, new_keys: bool) -> bytes:
    lines = list(_lines(dice, rows, new_keys))
    parts = made.out().decode().splitlines(keepends=True)
    end = parts[-1].split("\t")
    end[1] = str(rows + 3)
    return "".join([*parts[:2], *lines, "\t".join(end)]).encode()


def _lines(dice: random.Random, rows: int, new_keys: bool) -> Iterator[str]:
    first = dice.randrange(300, 30_000)
    scale = [dice.paretovariate(1.2) for _ in range(KEYS)]
    names = [dice.choice(_NAMES) for _ in range(KEYS)]
    for number in range(rows):
        turn, place = divmod(number, KEYS)
        pid = first + (number if new_keys else place)
        sent, received = int(scale[place] * 40 * dice.random()), int(scale[place] * 60 * dice.random())
        t_ms = (turn + 1) * INTERVAL_S * 1000 + 11
        yield (
            f"{rundirs.NONCE}\t{number + 3}\ttraffic\t{t_ms}\t{pid}\t{names[place]}\teth0"
            f"\t{sent}\t{received}\t{sent * 914}\t{received * 1022}\n"
        )


def _collect(made: rundirs.Builder, host: str, data: bytes) -> None:
    """As rundirs does it, compressed quickly."""
    packed = gzip.compress(data, compresslevel=1, mtime=0)
    write.write_host_bytes(made.path, host, f"{PROBE}.out.gz", packed)
    write.write_host_bytes(made.path, host, f"{PROBE}.err", b"")
    session = {
        "result": "success",
        "exit_code": 0,
        "out_bytes": len(data),
        "collected_bytes": len(packed),
        "truncated": False,
        "sha256": hashlib.sha256(data).hexdigest(),
        "cpu_s": 0.8,
    }
    write.write_host(made.path, host, "collect", {"sessions": {PROBE: session}, "residue": []})
