# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstrations of the lab: plant a fault, sweep, show the report."""
