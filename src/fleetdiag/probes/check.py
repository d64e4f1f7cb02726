# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes check`: every fault of the folders named, one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain
from fleetdiag.probes import folder_check, scaffold, script_check


def check(targets: Sequence[str], catalogs: Sequence[Path]) -> bool:
    """Print the faults of each target and one line for each that has none; True if there is no fault.

    A target is a probe's folder, a directory of such folders, a script (`./my.stp`), or a name; without any, all there
    are.
    """
    scripts = [
        target for target in targets if plain.is_script(target) and not Path(target).expanduser().is_dir()
    ]
    given = [target for target in targets if target not in scripts]
    folders = list(dict.fromkeys(_folders(given, catalogs))) if targets else catalog.folders(catalogs)
    good = sum(_check_script(script) for script in dict.fromkeys(scripts))
    for folder in folders:
        faults = [*_clashes(folder, catalogs), *folder_check.faults(folder)]
        for fault in faults:
            print(printable(fault))
        if not faults:
            good += 1
            print(f"{printable(str(folder))}: no fault{_note(folder)}")
    checked = len(folders) + len(set(scripts))
    if checked != 1:
        print(f"{checked} probes, {good} without fault")
    return good == checked


def _check_script(name: str) -> bool:
    """Print the faults of a script that is run as it is, or that it has none and what it is given."""
    found = script_check.look_over(name)
    for fault in found.faults:
        print(printable(fault))
    if not found.faults:
        print(f"{printable(name)}: no fault")
    for remark in found.remarks:
        print(f"  {printable(remark)}")
    return not found.faults


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
