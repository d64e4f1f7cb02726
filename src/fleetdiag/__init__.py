# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `fleetdiag`: a thin shell over the collection fleetdiag.systemtap, which it carries."""

from __future__ import annotations

from fleetdiag import paths

# From here on `ansible_collections.fleetdiag.systemtap...` is the copy that belongs to this command.
paths.use_own_collection()
