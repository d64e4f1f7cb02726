# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes by name: folders with a manifest `probe.yml` and a script `<name>.stp`, in catalog directories."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import yaml_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, policy

MANIFEST = "probe.yml"
RESERVED = frozenset({"smoke"})
"""Names a probe cannot have: the trivial module that is tried first on every host."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")


def shipped() -> Path:
    """Return the directory of the probes that come with the collection."""
    return Path(__file__).resolve().parents[3] / "roles" / "sweep" / "files" / "probes"


def names(catalogs: Iterable[Path]) -> list[str]:
    """Return the names of all probes in the catalogs, sorted. Raises FleetdiagError if a catalog is no directory."""
    return sorted({folder.name for folder in folders(catalogs)})


def folders(catalogs: Iterable[Path]) -> list[Path]:
    """Return all probe folders in the catalogs, in order, each once. Raises FleetdiagError if a catalog is no folder."""
    found: dict[Path, Path] = {}
    for directory in catalogs:
        for folder in _entries(directory):
            if _NAME.fullmatch(folder.name) and (folder / MANIFEST).is_file():
                found.setdefault(folder.resolve(), folder)
    return list(found.values())


def find(
    names: Sequence[str],
    catalogs: Sequence[Path],
    *,
    examples: Path | None = None,
    debuginfo: bool = False,
) -> list[Probe]:
    """Return the probes of these names, in this order, each once, ready to be run.

    A name may be that of an example or a script, too (see `scripts`, also for the other arguments).

    Raises FleetdiagError for no name at all, a name in no catalog (with the near ones) or in two, a faulty
    folder, and a script that may not run (see `policy`).
    """
    if not names:
        raise FleetdiagError(f"no probe was named; there are: {_listed(catalogs)}")
    return plain.distinct(
        plain.load(name, examples, debuginfo=debuginfo)
        if plain.is_script(name)
        else _allowed(lookup(name, catalogs))
        for name in dict.fromkeys(names)
    )


def lookup(name: str, catalogs: Sequence[Path]) -> Probe:
    """Return the probe of this name, to be looked at: its script may be one that must not run."""
    return load_probe(folder_of(name, catalogs))


def load_probe(folder: Path) -> Probe:
    """Return the probe in `folder`, named like it. Raises FleetdiagError for any fault in its manifest."""
    probe = load_manifest(folder)
    if probe.script is None or not probe.script.is_file():
        raise FleetdiagError(
            f"{folder}: the folder holds no {folder.name}.stp; name the script like the folder"
        )
    return probe


def load_manifest(folder: Path) -> Probe:
    """Return the probe in `folder` like load_probe, whether its script is there or not."""
    name = checked_folder(folder)
    path = folder / MANIFEST
    data, lines = yaml_lines.read(path)
    return manifest.build(name, data, yaml_lines.Source(str(path), lines), folder, folder / f"{name}.stp")


def checked_folder(folder: Path) -> str:
    """Return the name of the probe in `folder`. Raises FleetdiagError if it cannot be one."""
    check_name(folder.name, f"{folder}: the folder's name")
    if not folder.is_dir():
        raise FleetdiagError(f"{folder}: there is no such probe folder; name one that holds {MANIFEST}")
    if not (folder / MANIFEST).is_file():
        raise FleetdiagError(f"{folder}: the folder holds no {MANIFEST}; add one or remove the folder")
    return folder.name


def _allowed(probe: Probe) -> Probe:
    """Return the probe if its script may run; the shipped ones are held to the policy by a test."""
    if probe.folder is not None and probe.script is not None and probe.folder.parent != shipped():
        policy.enforce(probe.script, "probe", probe)
    return probe


def probe_from_manifest(name: str, recorded: Mapping[str, Any]) -> Probe:
    """Return the probe as recorded in a run directory, without its files. Raises FleetdiagError if it is faulty."""
    check_name(name, "the probe's name")
    return manifest.build(name, dict(recorded), yaml_lines.Source(f"probe {name}"), None, None)


def probe_of_own_sweep(name: str, recorded: Mapping[str, Any]) -> Probe:
    """Return an unchecked probe that the running sweep recorded: a check costs more than all else about a host."""
    return manifest.of_checked(name, dict(recorded), None, None)


def check_name(name: str, what: str) -> None:
    """Raise FleetdiagError, which begins with `what`, unless a probe can have this name."""
    if not _NAME.fullmatch(name):
        raise FleetdiagError(
            f"{printable(what)}: {printable(name)[:60]!r} is not a probe name;"
            " use a letter and up to 29 more of a-z, 0-9 and _"
        )
    if name in RESERVED:
        raise FleetdiagError(f"{printable(what)}: {name} is a name fleetdiag uses itself; choose another")


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(entry for entry in directory.iterdir() if entry.is_dir())
    except OSError as error:
        raise FleetdiagError(
            f"catalog {directory}: {error.strerror or 'cannot be read'};"
            " name a directory that holds probe folders"
        ) from error


def folder_of(name: str, catalogs: Sequence[Path]) -> Path:
    """Return the folder of this name. Raises FleetdiagError if it is in no catalog (with the near ones) or in two."""
    found: dict[Path, Path] = {}
    for directory in catalogs:
        for folder in _entries(directory):
            if folder.name == name:
                found.setdefault(folder.resolve(), folder)
    if not found:
        near = difflib.get_close_matches(name, names(catalogs), n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else f"there are: {_listed(catalogs)}"
        where = ", ".join(str(directory) for directory in catalogs)
        raise FleetdiagError(f"probe {printable(str(name))[:60]}: is not in the catalog ({where}); {advice}")
    if len(found) > 1:
        raise FleetdiagError(
            f"probe {name}: is in two catalogs, {' and '.join(str(folder) for folder in found.values())};"
            " rename one of the folders or leave its catalog out"
        )
    return next(iter(found.values()))


def _listed(catalogs: Sequence[Path]) -> str:
    return ", ".join(names(catalogs)) or "none, the catalogs are empty"
