# SPDX-License-Identifier: GPL-3.0-or-later
"""What report.html is made of: the data its script works on, what stands in the page itself, style and script.

`model` makes the data block, `still` what reads without script; both are pure functions of the Report.
"""
