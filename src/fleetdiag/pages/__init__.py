# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages beside the runs: from summaries of named sweeps to static files that open offline."""
