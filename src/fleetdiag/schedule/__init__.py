# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock: from a named sweep and the time to one sweep for its slot, or to a record why there was none."""
