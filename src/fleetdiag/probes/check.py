# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes check`: every fault of the folders named, one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from fleetdiag.probes import folder_check, scaffold


def check(targets: Sequence[str], catalogs: Sequence[Path]) -> bool:
    """Print the faults of each target and one line for each that has none; True if there is no fault.

    A target is a probe's folder, a directory of such folders, or a name; without any, all there are.
    """
    folders = list(dict.fromkeys(_folders(targets, catalogs))) if targets else catalog.folders(catalogs)
    good = 0
    for folder in folders:
        faults = [*_clashes(folder, catalogs), *folder_check.faults(folder)]
        for fault in faults:
            print(printable(fault))
        if not faults:
            good += 1
            print(f"{printable(str(folder))}: no fault{_note(folder)}")
    if len(folders) != 1:
        print(f"{len(folders)} probes, {good} without fault")
    return good == len(folders)


def _folders(targets: Sequence[str], catalogs: Sequence[Path]) -> Iterator[Path]:
    for target in targets:
        path = Path(os.path.abspath(os.path.expanduser(target)))
        if not path.is_dir() and "/" not in target:
            yield catalog.folder_of(target, catalogs)
        elif not (path / catalog.MANIFEST).is_file() and (inner := _inner(path)):
            yield from inner
        else:
            yield path


def _inner(path: Path) -> list[Path]:
    return catalog.folders([path]) if path.is_dir() else []


def _clashes(folder: Path, catalogs: Sequence[Path]) -> Iterator[str]:
    for other in catalog.folders(catalogs):
        if other.name == folder.name and other.resolve() != folder.resolve():
            yield f"{folder}: {other} has the same name; rename one of them"


def _note(folder: Path) -> str:
    if not scaffold.is_untouched(folder / folder_check.SAMPLE):
        return ""
    return (
        "; its sample.out is still the scaffold's: record a real one with"
        f" fleetdiag probes dev {printable(str(folder))} --host HOST -i INVENTORY --record"
    )
