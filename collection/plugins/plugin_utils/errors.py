# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the core: everything a person can put right raises it."""

from __future__ import annotations


class FleetdiagError(Exception):
    """One sentence for the operator: what is wrong, where (file, line, host), and what to do."""
