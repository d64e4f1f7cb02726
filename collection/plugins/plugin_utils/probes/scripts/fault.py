# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of what the policies find in a script."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Word,
)


class Fault(NamedTuple):
    """One thing a script may not do: the line, what is wrong, what to do instead."""

    line: int
    what: str
    advice: str

    def sentence(self, path: Path) -> str:
        return f"{path}:{self.line}: {self.what}; {self.advice}"


def as_written(words: Iterable[Word]) -> str:
    """Return what the script says there, safe to show and cut."""
    return printable("".join(word.text for word in words)[:200])[:60]
