# SPDX-License-Identifier: GPL-3.0-or-later
"""From merged data to findings: which host is different, in what, and how sure that is. No files, no network.

inputs + peers + past -> figures -> outliers -> candidates -> dedupe -> findings. See `find`.
"""
