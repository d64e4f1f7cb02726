# SPDX-License-Identifier: GPL-3.0-or-later
"""What a renderer says of itself. A new format is a module `as_<name>.py` beside this one with a FORMAT in it.

A renderer is a pure function of the Report (and of the run directories it names): the same ones give the same
bytes. Files appear whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import write_text

Render = Callable[[Report], str]


@dataclass(frozen=True)
class Format:
    """One format of the report.

    name: what is given to --format. about: what it is for, in a few words. write: puts its files into a
    directory and returns their names; none if the report has nothing for it. by_default: every sweep makes it.
    text: the whole of it, if it is a single file of text.
    """

    name: str
    about: str
    write: Callable[[Report, Path], list[str]]
    by_default: bool = False
    text: Render | None = None


def one_file(name: str, file: str, about: str, render: Render, *, by_default: bool = False) -> Format:
    """Return a format that is one file of text."""

    def write(report: Report, folder: Path) -> list[str]:
        write_text(folder, file, render(report))
        return [file]

    return Format(name, about, write, by_default, render)


def several_files(
    name: str, about: str, render: Callable[[Report], Iterable[tuple[str, str]]], *, by_default: bool = False
) -> Format:
    """Return a format of as many files as the report needs; `render` yields name and text of each."""

    def write(report: Report, folder: Path) -> list[str]:
        names = []
        for file, text in render(report):
            write_text(folder, file, text)
            names.append(file)
        return names

    return Format(name, about, write, by_default)
