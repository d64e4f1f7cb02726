# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of a builder's file system that may not be there."""

from __future__ import annotations


def read_text(path: str) -> str:
    """Return the text of a file, "" if it cannot be read."""
    try:
        with open(path, errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
