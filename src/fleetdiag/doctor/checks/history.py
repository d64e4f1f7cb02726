# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of the runs: damaged, newer, or where locks do not hold."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index, references
from fleetdiag.doctor.model import OK, WARN, Case, Line

ORDER = 30


def look(case: Case) -> Iterator[Line]:
    """Yield one line for each place of runs."""
    for place in case.runs_dirs:
        said = index.trouble(place)
        if said:
            yield Line(WARN, "history", said)
        else:
            yield Line(OK, "history", f"{place}: {plural(len(references.ids(place)), 'run')}")
