# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the core: everything a person can put right raises it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path


class FleetdiagError(Exception):
    """One sentence for the operator: what is wrong, where (file, line, host), and what to do."""


def no_report(error: Exception, run_dirs: Sequence[Path]) -> str:
    """Say why the files of a report are not there, and what makes them later."""
    expected = isinstance(error, (FleetdiagError, OSError))
    why = str(error) if expected else f"{type(error).__name__}: {error}"
    again = shlex.join(["fleetdiag", "report", *map(str, run_dirs), "-o"])
    return f"no report was written: {why}; what was collected is kept, make the report elsewhere with: {again} OUT"
