# SPDX-License-Identifier: GPL-3.0-or-later
"""The run directory: the files of one sweep on the controller.

In: what actions hand over. Out: typed records and streams of session output. Nothing else knows its file names.
"""
