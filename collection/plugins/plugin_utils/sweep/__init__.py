# SPDX-License-Identifier: GPL-3.0-or-later
"""One sweep while it runs: what is asked of each host, when, and what it answers.

In: the request and the hosts' answers. Out: records for the run directory.
"""
