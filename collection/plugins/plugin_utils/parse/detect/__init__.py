# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect tables, lists, histograms and records in the output of scripts without a manifest.

In: printed lines. Out: layouts that `parse` reads rows with.
"""
