# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of what is kept of a table: keys, rows, intervals, call nodes."""

from __future__ import annotations

MAX_KEYS = 50_000
"""Distinct keys kept per host and table, and per table of the fleet."""
INTERVAL_KEYS_PER_KEY = 4
"""Keys kept over all intervals of a host's table together, for each key that may be kept of the table itself."""
MAX_ROWS_PER_HOST = 5_000
MAX_SERIES_PER_HOST = 50
"""Rows of a host, from the top, whose values per interval are kept."""
MAX_INTERVALS = 100_000
"""The longest window has 86,400, of a second each."""
MAX_CALL_NODES = 5_000
MAX_TIMES = 10_000
