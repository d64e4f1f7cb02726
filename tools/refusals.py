#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write why preflight refuses hosts into troubleshooting.md, from its rules (--check: only compare)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import marked

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight  # noqa: E402

PAGE = ROOT / "collection/docs/troubleshooting.md"
FIT = {
    "uid": "0",
    "systemd": "257",
    "init": "systemd",
    "free_mb": "5000",
    "mem_available_mb": "700",
    "staprun": "5.1",
}
# What preflight reckons: a host that lacks it -> the figure that stands in its sentence.
RECKONED = ({"free_mb": "12"}, {"mem_available_mb": "12"}, {"staprun": ""})


def refusals() -> Iterator[tuple[str, str]]:
    """Yield (reason, remedy) of every refusal; what the host says stands in capitals."""
    said = {"lockdown": "LOCKDOWN", "container": "KIND", "init": "NAME"}
    yield from ((rule.reason.format(**said), rule.remedy) for rule in preflight.RULES)
    for lack in RECKONED:
        refused = preflight.refusal({**FIT, **lack}, min_free_mb=200)
        assert refused is not None
        yield refused.reason.replace("12 MB", "N MB").replace("200", "M"), refused.remedy


def table() -> str:
    """Return the table of all refusals."""
    rows = "".join(f"| `{reason}` | {remedy} |\n" for reason, remedy in refusals())
    return f"\n| said | what to do |\n| --- | --- |\n{rows}"


if __name__ == "__main__":
    raise SystemExit(marked.write(PAGE, "refusals", table()))
