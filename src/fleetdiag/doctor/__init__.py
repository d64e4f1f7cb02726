# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor: from a configuration, or an inventory, to one line with a remedy for each thing a sweep relies on.

A check is one file in `checks` with `ORDER` and `look(case)`; it is found by being there.
"""
