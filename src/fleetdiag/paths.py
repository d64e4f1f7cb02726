# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: the collection that belongs to this command, and the user's own directories.

Imports nothing but the standard library: it runs before the collection can be imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_COLLECTION = Path("ansible_collections/fleetdiag/systemtap")


def collections_dir() -> Path:
    """Return the directory that holds `ansible_collections/fleetdiag/systemtap`, for ANSIBLE_COLLECTIONS_PATH.

    Installed: where the package itself lies. In a source tree: the development link beside src/.
    """
    here = Path(__file__).resolve().parent.parent
    for candidate in (here, here.parent / ".collections"):
        if (candidate / _COLLECTION / "galaxy.yml").is_file():
            return candidate
    sentence = f"the collection fleetdiag.systemtap is missing beside {here}; install fleetdiag again"
    print(f"fleetdiag: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def use_own_collection() -> None:
    """Let Python import the collection: this copy, whatever others Python or Ansible may know."""
    directory = str(collections_dir())
    if directory not in sys.path:
        sys.path.insert(0, directory)


def state_dir() -> Path:
    """Return the user's own directory for what outlives a command: `$XDG_STATE_HOME/fleetdiag`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "fleetdiag"
