# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweeps that remember: from the run directories of a place to what changed, what is open and what is news.

In: figures.json and news.json of earlier runs, findings of this one, decisions.jsonl. Out: news.json, and an index
of all runs (history.db) that can be made anew at any time.
"""
