# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration: faults, files that are not there, secrets that others may read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from fleetdiag.doctor.model import FAIL, OK, WARN, Case, Line
from fleetdiag.schedule import named

ORDER = 20


def look(case: Case) -> Iterator[Line]:
    """Yield the faults; one line if there is none, none without a configuration."""
    if case.fault:
        yield Line(FAIL, "configuration", case.fault, "fleetdiag config check names all faults")
        return
    if case.config.path is None:
        return
    missing = named.missing_files(case.config)
    for sentence in missing:
        yield Line(FAIL, "configuration", sentence)
    for name in _secrets(case):
        mode = name.stat().st_mode if name.is_file() else 0
        if mode & 0o044:
            yield Line(WARN, "configuration", f"{name}: others may read this secret", f"chmod go-r {name}")
    if not missing:
        known = plural(len(case.config.sweeps), "sweep")
        yield Line(OK, "configuration", f"{case.config.path}: {known}, no fault")


def _secrets(case: Case) -> list[Path]:
    found = [sweep.text("become_password_file") for sweep in case.sweeps]
    for receiver in case.config.receivers.values():
        settings = receiver.settings if isinstance(receiver.settings, dict) else {}
        found += [str(value) for key, value in settings.items() if key.endswith("_file")]
    return [Path(name) for name in dict.fromkeys(found) if name]
