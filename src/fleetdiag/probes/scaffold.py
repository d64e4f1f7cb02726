# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes new`: a folder to begin with, which works and says what is still to be written."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog, user_catalogs
from fleetdiag.probes.folder_check import SAMPLE

MANIFEST = catalog.MANIFEST
SCRIPT = "probe.stp"


def new(name: str, where: Path | None) -> Path:
    """Make the folder of a probe in the catalog `where` (made too, if missing), else in the first known one.

    Raises FleetdiagError for a name that no probe can have, or that one has already.
    """
    catalog.check_name(name, "the probe's name")
    if where is not None:
        try:
            where.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FleetdiagError(
                f"catalog {where}: {error.strerror}; name a directory you may write to"
            ) from error
    own = user_catalogs.catalogs([where] if where is not None else [])
    if not own:
        raise FleetdiagError(
            "no catalog of your own is known; name a directory with --catalog DIR, it is made if it is missing"
        )
    _check_free(name, [catalog.shipped(), *own])
    folder = own[0] / name
    try:
        folder.mkdir()
        for file in (MANIFEST, SCRIPT, SAMPLE):
            (folder / file.replace("probe.stp", f"{name}.stp")).write_text(
                template(file, name), encoding="utf-8"
            )
    except FileExistsError as error:
        raise FleetdiagError(f"{folder}: is there already; choose another name or remove it") from error
    except OSError as error:
        raise FleetdiagError(f"{folder}: {error.strerror}; name a directory you may write to") from error
    return folder


def is_untouched(sample: Path) -> bool:
    """Return whether this is the sample that a new folder has: nobody has recorded it."""
    try:
        return sample.read_text(encoding="utf-8") == template(SAMPLE, "")
    except (OSError, ValueError):
        return False


def template(file: str, name: str) -> str:
    """Return the text of a file of a new probe. Our licence line stays here: the probe is somebody's own."""
    text = (resources.files(__package__) / "template" / file).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "SPDX-License-Identifier" not in line).replace("NAME", name)


def _check_free(name: str, catalogs: Sequence[Path]) -> None:
    for folder in catalog.folders(catalogs):
        if folder.name == name:
            raise FleetdiagError(
                f"probe {name}: there is one in {folder.parent} already; choose another name"
            )
