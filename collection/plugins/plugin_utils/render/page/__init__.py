# SPDX-License-Identifier: GPL-3.0-or-later
"""What report.html is made of: the data its script works on, what stands in the page itself, style and script.

`data` makes the data block; `static`, `cards`, `tops` and `conditions` make what reads without script, out of the
document's grids. All are pure functions of the Report.
"""
