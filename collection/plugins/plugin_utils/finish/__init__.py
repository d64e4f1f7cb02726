# SPDX-License-Identifier: GPL-3.0-or-later
"""The one end of a sweep, however it was started: by a playbook, by the command, in shards.

In: a run directory and its `Report`. Out: the files of the report, the index of runs, and the steps of the caller.
"""
