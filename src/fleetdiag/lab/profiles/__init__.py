# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets the lab can boot beside the plain row of web servers."""
