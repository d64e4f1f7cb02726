# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe was measured to cost (`overhead:` of its manifest), in words and as one of three classes.

The measurement is tests/bench/bench_overhead.py; it writes its figures into the manifest with `written_into`:

    method                how it was measured, in a sentence
    machine, kernel       on what; emulated: true if it was no hardware
    throughput_percent    work done with the probe, of that done without; throughput_least, throughput_most: its spread
    session_cpu_percent   processor time of the program that writes the probe's output down
    hits_per_second       how often its handlers ran under that work
    cycles_per_hit        what one of these took, by SystemTap's own timing
    handlers_percent      both together: the share of a processor that the handlers took
    date                  when

The class follows from the share of a processor that handlers and session take: below 1 % a probe is `low`, below 10 %
`medium`, else `high`. Throughput says the same and more, but is a difference of two large figures; shares are counted.
docs/writing_probes.md says the rule to people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import number

Cost = Literal["low", "medium", "high"]

MEDIUM_PERCENT = 1
HIGH_PERCENT = 10


def cost_of(overhead: Mapping[str, Any]) -> Cost | None:
    """Return the class that these figures mean; None if a share is missing."""
    handlers, session = number(overhead, "handlers_percent"), number(overhead, "session_cpu_percent")
    if handlers is None or session is None:
        return None
    if handlers + session < MEDIUM_PERCENT:
        return "low"
    return "medium" if handlers + session < HIGH_PERCENT else "high"


def sentence(overhead: Mapping[str, Any]) -> str:
    """Return `97.2 % of the work was done (96 to 98), 5,140 hits a second of 2,210 cycles (emulated x86_64)`; or ""."""
    parts = []
    done, used = number(overhead, "throughput_percent"), number(overhead, "session_cpu_percent")
    hits, cycles = number(overhead, "hits_per_second"), number(overhead, "cycles_per_hit")
    least, most = number(overhead, "throughput_least"), number(overhead, "throughput_most")
    if done is not None:
        spread = f" ({least:g} to {most:g})" if least is not None and most is not None else ""
        parts.append(f"{done:g} % of the work was done{spread}")
    if hits is not None and cycles is not None:
        parts.append(f"{hits:,.0f} hits a second of {cycles:,.0f} cycles")
    if used is not None:
        parts.append(f"its session used {used:g} % of a processor")
    where = ", ".join(str(overhead[name]) for name in ("machine", "kernel", "date") if overhead.get(name))
    return ", ".join(parts) + (f" ({where})" if parts and where else "")


def written_into(manifest: str, overhead: Mapping[str, Any]) -> str:
    """Return the text of a manifest with these figures and the cost they mean; every other line stays as it is."""
    lines = _without_block(manifest.splitlines(), "overhead")
    cost = cost_of(overhead)
    place = next(number for number, line in enumerate(lines) if re.match(r"cost:", line))
    if cost is not None:
        lines[place] = re.sub(r"^cost: *\S+", f"cost: {cost}", lines[place])
    block = ["overhead:", *(f"  {name}: {_yaml(value)}" for name, value in overhead.items())]
    return "\n".join([*lines[: place + 1], *block, *lines[place + 1 :]]) + "\n"


def _without_block(lines: list[str], key: str) -> list[str]:
    start = next((number for number, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if start is None:
        return lines
    end = start + 1
    while end < len(lines) and lines[end].startswith((" ", "\t")):
        end += 1
    return lines[:start] + lines[end:]


def _yaml(value: object) -> str:
    """Return a value as YAML: JSON is valid in it, and a text of plain words needs no quotes."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9 ,.;/()%_+-]*", value):
        return value
    return json.dumps(value, ensure_ascii=False)
