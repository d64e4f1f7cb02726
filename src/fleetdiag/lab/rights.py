# SPDX-License-Identifier: GPL-3.0-or-later
"""Work with files of many users: as root directly, else in a user namespace with the range of /etc/subuid."""

from __future__ import annotations

import os


def is_root() -> bool:
    return os.geteuid() == 0


def prefix() -> list[str]:
    """Put before a command that must own files as root and as system users."""
    return [] if is_root() else ["unshare", *namespace_flags(), "--"]


def namespace_flags() -> list[str]:
    """Return the flags of `unshare` that give a command the same rights beside other new namespaces."""
    return [] if is_root() else ["--user", "--map-root-user", "--map-auto"]


def mmdebstrap_mode() -> str:
    return "root" if is_root() else "unshare"
