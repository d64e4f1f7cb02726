#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a page for each shipped probe from its manifest and its recorded sample (--check: only compare)."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.explain import explain  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe, Table  # noqa: E402
from fleetdiag.probes import dev, folder_check, listing  # noqa: E402

PAGES = ROOT / "collection/docs/probes"
INDEX = ROOT / "collection/docs/probes.md"
MADE = "<!-- made by tools/probe_pages.py -->"
MAX_ROWS, MAX_CALLS, MAX_WIDTH = 6, 12, 400


def pages() -> dict[Path, str]:
    """Return {path: text} of the index and of a page for each probe."""
    probes, faults = listing.load_all([catalog.shipped()])
    if faults:
        raise SystemExit("\n".join(faults))
    return {
        INDEX: _text(index(probes)),
        **{PAGES / f"{probe.name}.md": _text(page(probe)) for probe in probes},
    }


def index(probes: Iterable[Probe]) -> Iterator[str]:
    """Yield lines of the page that names all probes."""
    yield from ("# The shipped probes", "", MADE, "")
    rows = [(f"[{one.name}](probes/{one.name}.md)", one.topic, one.cost, one.question) for one in probes]
    yield from _grid(("probe", "topic", "cost", "question"), rows)


def page(probe: Probe) -> Iterator[str]:
    """Yield lines of a probe's own page."""
    yield from (f"# {probe.name}", "", MADE, "", f"**{probe.question}**", "", probe.description, "")
    yield from ("    " + listing.example(probe), "")
    facts = [words for words in listing.facts(probe) if words[0] != "from"]
    yield from _grid(("", f"{probe.topic}, cost {probe.cost}"), facts)
    if probe.parameters:
        yield from ("", "## Parameters", "")
        rows = [listing.parameter_words(one) for one in probe.parameters.values()]
        yield from _grid(("name", "default", "meaning"), [(f"`{row[0]}`", *row[1:]) for row in rows])
    for table in probe.tables.values():
        yield from ("", f"## Table `{table.name}`", "")
        yield from _table(table)
    yield from ("", "## What it looks like", "", "Recorded on a machine of the lab:", "")
    yield from ("    " + line[:MAX_WIDTH].rstrip() for line in recorded(probe))


def recorded(probe: Probe) -> Iterator[str]:
    """Yield the first rows of each table of the recorded sample, or the first lines of a form without tables."""
    assert probe.folder is not None
    data = (probe.folder / folder_check.SAMPLE).read_bytes()
    lines, _result = explain(probe, folder_check.NONCE, io.BytesIO(data))
    for name in probe.tables:
        rows = [row for line in lines for row in line.rows if row.table == name]
        yield from (dev.row_words(row, probe) for row in rows[:MAX_ROWS])
    if not probe.tables:
        texts = [line.raw.decode("utf-8", "replace") for line in lines if b"\t@" not in line.raw]
        yield from (text.rpartition("\t")[2].rstrip("\n") for text in texts[:MAX_CALLS])


def _table(table: Table) -> Iterator[str]:
    yield from (table.description, "")
    rows = [listing.column_words(column) for column in (*table.columns, *table.derived)]
    yield from _grid(("column", "what", "meaning"), [(f"`{row[0]}`", *row[1:]) for row in rows])
    if table.checks:
        yield ""
    for check in table.checks:
        yield f"- {check.severity} if {listing.threshold(check, table)}"


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |".replace("|  |", "| |")
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in row)} |"


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    made = pages()
    there = {
        path: path.read_text(encoding="utf-8") for path in [INDEX, *PAGES.glob("*.md")] if path.is_file()
    }
    if "--check" in sys.argv[1:]:
        return int(made != there)
    PAGES.mkdir(exist_ok=True)
    for path in there.keys() - made.keys():
        path.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
