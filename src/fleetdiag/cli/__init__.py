# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: one module for each verb. They read options, call `run`, `probes` or `lab`, and print."""
