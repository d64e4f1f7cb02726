# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of all hosts and intervals folded into tables of the fleet, in bounded memory.

In: rows of sessions. Out: merged tables, histograms and call trees. See `fleet`.
"""
