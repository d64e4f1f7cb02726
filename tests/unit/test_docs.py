# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is what the code has."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import catalog, stapscript, sweeprun

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "collection" / "docs" / "writing_probes.md"


def test_the_reference_of_the_manifest_is_that_of_the_schema() -> None:
    made = subprocess.run([sys.executable, ROOT / "tools" / "manifest_reference.py", "--check"], check=False)
    assert made.returncode == 0, "run tools/manifest_reference.py"


def test_the_manifest_that_is_shown_is_one() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## The manifest\n", 1)[1]
    block = re.match(r"\n((?: {4}.*\n|\n)+)", section)
    assert block is not None
    probe = catalog.probe_from_manifest("shown", yaml.safe_load(textwrap.dedent(block[1])))
    assert [column.name for column in probe.tables["files"].measures] == ["open_time", "files"]


def test_what_is_said_of_the_tapset_is_there() -> None:
    """Functions, aliases and variables; the protocol that every probe uses is said in full."""
    there: set[str] = set()
    for text in sweeprun.tapset().values():
        script = stapscript.read(text)
        there |= {*script.functions, *(handler.alias for handler in script.handlers)}
    said = set(re.findall(r"`(?:probe )?(fd[_.]\w+(?:\.\w+)*)[`(]", PAGE.read_text(encoding="utf-8"))) - {
        "fd_"
    }
    assert said >= {"fd_sampling", "fd_row", "fd_str", "fd.interval"}
    assert said - there == set()
