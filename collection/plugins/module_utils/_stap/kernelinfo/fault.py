# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the one error of this package."""

from __future__ import annotations


class KernelInfoError(ValueError):
    """Tell in one sentence why what a host handed over cannot be used."""
