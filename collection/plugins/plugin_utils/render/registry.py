# SPDX-License-Identifier: GPL-3.0-or-later
"""From a Report to files: one module `as_<format>.py` per format, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import render
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import Format
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

ALL = "all"


@cache
def formats() -> dict[str, Format]:
    """Return every format by its name: those that each sweep makes first, then by name."""
    modules = sorted(
        item.name for item in pkgutil.iter_modules(render.__path__) if item.name.startswith("as_")
    )
    found: list[Format] = [
        importlib.import_module(f"{render.__name__}.{module}").FORMAT for module in modules
    ]
    return {item.name: item for item in sorted(found, key=lambda item: (not item.by_default, item.name))}


def chosen(words: Sequence[str]) -> list[Format]:
    """Return the formats that `md|csv|...|all` mean, each once; without any, those that every sweep makes."""
    known = formats()
    if not words:
        return [item for item in known.values() if item.by_default]
    unknown = [word for word in words if word not in (*known, ALL)]
    if unknown:
        raise FleetdiagError(f"format {unknown[0]!r} is unknown; it can be {', '.join([*known, ALL])}")
    return list(known.values()) if ALL in words else [known[word] for word in dict.fromkeys(words)]


def write(report: Report, folder: Path, wanted: Sequence[Format] | None = None) -> dict[str, list[str]]:
    """Write the wanted formats (by default those every sweep makes) into a directory.

    Returns the names of the files written, by format; a format for which the report has nothing has none.
    """
    return {item.name: item.write(report, folder) for item in (chosen([]) if wanted is None else wanted)}
