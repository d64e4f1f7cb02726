# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes list` and `show`: what can be asked, and what one probe is."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, cost, parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Check,
    Column,
    Parameter,
    Probe,
    Table,
    Topic,
)

SHIPPED = "shipped"
_INDENT = "  "
_MERGES = {"p50": "median", "p95": "95th percentile", "p99": "99th percentile"}


def load_all(catalogs: Sequence[Path]) -> tuple[list[Probe], list[str]]:
    """Return (every probe that can be read, by name; what is wrong with the others)."""
    probes, faults = [], []
    for name in catalog.names(catalogs):
        try:
            probes.append(catalog.lookup(name, catalogs))
        except FleetdiagError as error:
            faults.append(str(error))
    return probes, faults


def origin(probe: Probe) -> str:
    """Return whose probe it is: `shipped`, or the catalog it lies in."""
    if probe.folder is None or probe.folder.parent == catalog.shipped():
        return SHIPPED
    return printable(str(probe.folder.parent))


def summary(probe: Probe) -> dict[str, Any]:
    """Return what a list says of a probe, for programs."""
    return {
        "name": probe.name,
        "title": probe.title,
        "topic": probe.topic,
        "cost": probe.cost,
        "question": probe.question,
        "description": probe.description,
        "output": probe.output,
        "needs_debuginfo": probe.requires_debuginfo,
        "origin": origin(probe),
        "folder": str(probe.folder) if probe.folder else None,
    }


def listed(probes: Iterable[Probe]) -> list[str]:
    """Return lines of the list: by topic, each with cost and question; whose it is, unless it is shipped."""
    probes = list(probes)
    width = max((len(printable(probe.title)) for probe in probes), default=0)
    lines: list[str] = []
    for topic in get_args(Topic):
        of_topic = [probe for probe in probes if probe.topic == topic]
        if of_topic and lines:
            lines.append("")
        lines += [topic] if of_topic else []
        for probe in of_topic:
            head = f"{_INDENT}{printable(probe.title):{width}}  {probe.cost:6}  "
            whose = "" if origin(probe) == SHIPPED else f"  [{origin(probe)}]"
            lines += _wrapped(head, printable(probe.question) + whose)
    return lines


def shown(probe: Probe) -> list[str]:
    """Return lines that say everything a user of the probe wants to know."""
    lines = [f"{printable(probe.title)} ({probe.topic}, cost {probe.cost})", ""]
    lines += _wrapped("", printable(probe.question))
    lines += _wrapped("", printable(probe.description))
    lines += ["", *_aligned(facts(probe))]
    settings = parameters.declared(probe)
    if settings:
        lines += ["", "parameters", *_aligned(parameter_words(parameter) for parameter in settings.values())]
    for table in probe.tables.values():
        lines += ["", *_table(table)]
    if probe.views:
        lines += ["", f"shown as {', '.join(view.kind for view in probe.views)}"]
    return [*lines, "", f"{_INDENT}{example(probe)}"]


def example(probe: Probe) -> str:
    """Return a command line that runs the probe."""
    words = ["fleetdiag sweep -i INVENTORY -l HOSTS --probe", probe.title, "--window 30s"]
    if origin(probe) != SHIPPED and probe.folder is not None:
        words.append(f"--catalog {probe.folder.parent}")
    for parameter in list(probe.parameters.values())[:1]:
        default = str(parameter.default).lower() if parameter.type == "bool" else str(parameter.default)
        words.append(f"--param {probe.name}.{parameter.name}={default or 'VALUE'}")
    return printable(" ".join(words))


def facts(probe: Probe) -> list[tuple[str, ...]]:
    """Return (what, text) of what a probe needs, costs and is limited to."""
    limits = probe.limits
    known = [
        ("needs", _needs(probe)),
        ("overhead", printable(cost.sentence(probe.overhead)) or "not measured"),
        ("output", f"{probe.output}, at most {limits.output_mb} MiB for each host"),
        (
            "limits",
            f"armed within {limits.arm_seconds} s, ends itself at {limits.overload_percent} % of a processor",
        ),
        (
            "stap",
            printable(" ".join(probe.flags)) and f"{printable(' '.join(probe.flags))} (of its first line)",
        ),
        ("from", printable(str(probe.folder) if probe.folder else probe.origin) or SHIPPED),
    ]
    return [(name, text) for name, text in known if text]


def _needs(probe: Probe) -> str:
    needs = "the kernel's debuginfo" if probe.requires_debuginfo else "the kernel's headers, no debuginfo"
    for name in probe.module_files:
        parameter = probe.parameters.get(name.strip("{}"))
        named = f"{parameter.default} (parameter {parameter.name})" if parameter else name
        needs += f"; the file of the kernel module {named}"
    return printable(needs)


def parameter_words(parameter: Parameter) -> tuple[str, ...]:
    """Return (name, default, meaning) of a parameter."""
    default = str(parameter.default).lower() if parameter.type == "bool" else str(parameter.default)
    value = printable(f"{default or 'empty'} {parameter.unit}".strip())
    text = f"{printable(parameter.description)} {_range(parameter)}"
    if parameter.when == "compile":
        text += " Another value is compiled anew."
    return parameter.name, value, text


def _range(parameter: Parameter) -> str:
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.type == "bool":
        return "True or false."
    if parameter.type == "string":
        return printable(f"Matches {parameter.pattern or parameters.STRING_PATTERN}")
    if parameter.min is not None and parameter.max is not None:
        return f"{parameter.min} to {parameter.max}{unit}."
    if parameter.min is not None:
        return f"At least {parameter.min}{unit}."
    return f"At most {parameter.max}{unit}." if parameter.max is not None else "A whole number."


def _table(table: Table) -> list[str]:
    lines = _wrapped(f"table {table.name}: ", printable(table.description), "")
    if table.interval:
        lines += _wrapped(_INDENT, "A set of rows every interval_s seconds.")
    lines += _aligned(column_words(column) for column in (*table.columns, *table.derived))
    for check in table.checks:
        lines += _wrapped(_INDENT, f"{check.severity} if {threshold(check, table)}")
    if table.views:
        views = [f"{view.kind} of {view.measure}" if view.measure else view.kind for view in table.views]
        lines += _wrapped(_INDENT, f"shown as {', '.join(views)}")
    return lines


def column_words(column: Column) -> tuple[str, ...]:
    """Return (name, what it is, meaning) of a column."""
    unit = (
        f" in {column.shown_unit}" if column.shown_unit and column.type not in ("bytes", "duration") else ""
    )
    kind = column.type + unit
    if column.is_key:
        return column.name, f"{kind}, key", printable(column.description)
    how = (
        f"{column.ratio[0]} / {column.ratio[1]}" if column.ratio else _MERGES.get(column.merge, column.merge)
    )
    words = [how + (" and rate" if column.rate else "")]
    if column.more_is != "neutral":
        words.append(f"more is {column.more_is}")
    if column.compare is not None:
        words.append("compared between hosts" + (", key by key" if column.compare.scope == "key" else ""))
    return column.name, f"{kind}, {'; '.join(words)}", printable(column.description)


def threshold(check: Check, table: Table) -> str:
    """Return what a check looks for, in words."""
    unit = next((column.shown_unit for column in table.measures if column.name == check.measure), "")
    bound = f"above {check.above:g}" if check.above is not None else f"below {check.below:g}"
    of = "of a host" if check.scope == "host" else "of a row"
    return f"{check.measure} {of} is {bound} {unit}".rstrip()


# --- text in columns


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return rows with their columns below each other; the last one is wrapped."""
    rows = list(rows)
    widths = (
        [min(36, max(len(row[place]) for row in rows)) for place in range(len(rows[0]) - 1)] if rows else []
    )
    lines = []
    for row in rows:
        head = _INDENT + "".join(f"{cell:{width}}  " for cell, width in zip(row[:-1], widths, strict=True))
        lines += _wrapped(head, row[-1], " " * (len(_INDENT) + sum(width + 2 for width in widths)))
    return lines


def _wrapped(head: str, text: str, indent: str | None = None) -> list[str]:
    """Return `head` and `text` in the width of the terminal; one line where there is none, for grep and the like."""
    if not sys.stdout.isatty():
        return [f"{head}{text}".rstrip()]
    below = " " * len(head) if indent is None else indent
    width = max(40, shutil.get_terminal_size().columns)
    if len(below) > width // 2:
        below = _INDENT * 3
    return textwrap.wrap(
        f"{head}{text}", width, subsequent_indent=below, drop_whitespace=True, break_on_hyphens=False
    ) or [head.rstrip()]
