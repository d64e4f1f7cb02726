# SPDX-License-Identifier: GPL-3.0-or-later
"""The last configuration that had no fault: whom to tell when the present one is broken at the time of a slot."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag import config, paths

FILE = "last_good_config.json"


def keep() -> None:
    """Keep the present configuration, in which no fault was found."""
    file = config_file.read()
    folder = paths.state_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps({"path": str(file.path), "data": file.data}, default=str)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{FILE}.", delete=False) as new:
        new.write(text)
    os.replace(new.name, folder / FILE)


def load() -> config.Config:
    """Return what `keep` has kept. FleetdiagError if there is nothing."""
    path = paths.state_dir() / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        file = config_file.File(Path(data["path"]), data["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FleetdiagError(f"{path}: no earlier configuration is kept, so nobody can be told") from error
    if found := config.faults(file):
        raise FleetdiagError(f"{path}: the earlier configuration is damaged ({found[0]})")
    return config.of_checked(file)
