# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller: Python, Ansible, this collection."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import version
from fleetdiag.doctor.model import FAIL, OK, Case, Line

ORDER = 10


def look(_: Case) -> Iterator[Line]:
    """Yield one line with the versions."""
    try:
        ansible = metadata.version("ansible-core")
    except metadata.PackageNotFoundError:
        yield Line(FAIL, "controller", "ansible-core is not there", "install it beside fleetdiag")
        return
    yield Line(
        OK,
        "controller",
        f"python {platform.python_version()}, ansible-core {ansible}, collection {version.version()} of this command",
    )
