# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one session, read as a stream: rows, histograms, call traces and text.

In: a probe and the bytes a session printed. Out: rows, then a `SessionResult`. See `session`.
"""
