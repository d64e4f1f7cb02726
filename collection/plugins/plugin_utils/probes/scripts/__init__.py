# SPDX-License-Identifier: GPL-3.0-or-later
"""SystemTap scripts as text.

Reads their words, refuses what a probed host must not run, takes over plain scripts and examples.
"""
