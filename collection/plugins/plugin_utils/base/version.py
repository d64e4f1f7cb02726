# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of this collection. It is written in one place, galaxy.yml (MANIFEST.json once it is installed)."""

from __future__ import annotations

import json
import re
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[3]


def version(collection: Path = COLLECTION) -> str:
    """Return the semantic version, or "unknown" in a collection that carries neither file."""
    try:
        return str(json.loads((collection / "MANIFEST.json").read_text())["collection_info"]["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        found = re.search(r"^version: *(\S+)", (collection / "galaxy.yml").read_text(), re.MULTILINE)
    except OSError:
        return "unknown"
    return found.group(1) if found else "unknown"
