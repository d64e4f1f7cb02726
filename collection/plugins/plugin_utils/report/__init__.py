# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run directory as one typed value: verdicts, coverage, tables, findings.

In: a run directory. Out: `Report`, the only thing that `render` sees.
"""
