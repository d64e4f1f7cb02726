# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs of scripts that were not written for fleetdiag, read as a report reads them."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import settle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import (
    parse_session,
    printed_lines,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Layout,
    Probe,
    Row,
    SessionResult,
)

NONCE = "0123456789abcdef"
AUTO = Probe("ex_x", "It.", "What?", "auto", "low", unmodified=True)
_TIME = re.compile(r"@@T ([0-9]+)\n")


def session(printed: str) -> bytes:
    """Return the output of a session whose script printed this; `@@T N` is a time record, N ms into the window."""
    head = f"{NONCE}\t1\t@armed\t0\t1790000000000\n{NONCE}\t2\t@start\t0\t1790000004000\n"
    number = 2

    def record(found: re.Match[str]) -> str:
        nonlocal number
        number += 1
        return f"{NONCE}\t{number}\t@time\t{found[1]}\n"

    body = _TIME.sub(record, printed)
    return (head + body + f"{NONCE}\t{number + 1}\t@end\t30000\t1790000034000\twindow\n").encode()


_MERGED: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "max": max,
    "min": min,
    "last": lambda values: values[-1],
    "mean": lambda values: sum(values) / len(values),
}


@dataclass
class Fleet:
    """What was read: the probe with its form, and for each host rows and result."""

    probe: Probe
    rows: Mapping[str, list[Row]]
    results: Mapping[str, SessionResult]

    def table(self, host: str, name: str = "") -> list[tuple[object, ...]]:
        """Return the values of one table's rows on a host; of all tables without a name."""
        return [row.values for row in self.rows[host] if name in ("", row.table)]

    def sums(self, host: str, name: str = "") -> dict[tuple[object, ...], list[float]]:
        """Return by key what all rows of a host come to, measure by measure, merged as the columns say."""
        found: dict[tuple[object, ...], list[list[float]]] = {}
        merges: list[str] = []
        for row in self.rows[host]:
            if name not in ("", row.table):
                continue
            columns = self.probe.tables[row.table].columns
            key = tuple(v for v, c in zip(row.values, columns, strict=True) if c.is_key)
            values = [float(v) for v, c in zip(row.values, columns, strict=True) if not c.is_key]
            merges = [c.merge for c in columns if not c.is_key]
            found.setdefault(key, []).append(values)
        return {
            key: [
                _MERGED[merge](column) for merge, column in zip(merges, zip(*rows, strict=True), strict=True)
            ]
            for key, rows in found.items()
        }

    def layout(self, name: str) -> Layout:
        """Return how the table of this name stands in the output."""
        return next(layout for layout in self.probe.layouts if layout.table.name == name)


def event_log(lines: int, seed: int = 1) -> str:
    """Return lines of three kinds, as a tracing script prints them: nearly each could be words above columns."""
    rng = random.Random(seed)  # noqa: S311
    names = ("nginx", "mysqld", "crond", "php-fpm")
    printed = []
    for number in range(lines):
        name, file = rng.choice(names), "".join(rng.choices("abcdefgh", k=6)) + ".log"
        text = f"{name} reads {rng.randrange(9999)} bytes in {rng.randrange(999)} us"
        printed.append((f"{name} opens {file}", text, f"{name} closes {file}")[number % 3])
    return "\n".join(printed) + "\n"


def alternating(lines: int) -> str:
    """Return lines of eight words, each above a dozen of as many fields that are no rows of it."""
    rng = random.Random(2)  # noqa: S311

    def word() -> str:
        return "".join(rng.choices("abcdefgh", k=5))

    def fields() -> str:
        return " ".join([word() * rng.randrange(1, 4), *(str(rng.randrange(10**5)) for _ in range(7))])

    texts = (" ".join(word() for _ in range(8)) if number % 13 == 0 else fields() for number in range(lines))
    return "\n".join(texts) + "\n"


def read_fleet(
    printed: Mapping[str, str], script: str = "", reading: Mapping[str, object] | None = None
) -> Fleet:
    """Return what a report would read of these outputs, host by host."""
    outputs = {host: session(text) for host, text in printed.items()}
    samples = [printed_lines(NONCE, io.BytesIO(output), 1 << 30) for output in outputs.values()]
    probe = settle.settled(replace(AUTO, reading=reading or {}), script, samples)
    rows, results = {}, {}
    for host, output in outputs.items():
        read = parse_session(probe, NONCE, io.BytesIO(output))
        rows[host] = list(read)
        results[host] = read.result
    return Fleet(probe, rows, results)
