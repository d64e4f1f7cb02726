# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every check, in their order; the exit code says the worst that was found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.doctor import checks
from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line

EXIT_CODES = {OK: 0, WARN: 3, FAIL: 2}


def all_checks() -> list[ModuleType]:
    """Return the checks in the order in which they are made."""
    names = [module.name for module in pkgutil.iter_modules(checks.__path__)]
    found = [importlib.import_module(f"{checks.__name__}.{name}") for name in names]
    return sorted(found, key=lambda module: int(module.ORDER))


def look(case: Case) -> Iterator[Line]:
    """Yield the lines of all checks; a check that cannot be made is a failure of its own, and the others go on."""
    for check in all_checks():
        try:
            yield from check.look(case)
        except (FleetdiagError, OSError) as error:
            yield Line(FAIL, check.__name__.rpartition(".")[2], str(error))


def exit_code(lines: list[Line]) -> int:
    """Return 2 for a failure, else 3 for a warning, else 0."""
    levels = {line.level for line in lines}
    return EXIT_CODES[FAIL if FAIL in levels else WARN if WARN in levels else OK]
