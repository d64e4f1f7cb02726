# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers that decide what a report says and how much of it; an operator may change them here.

How alike hosts scatter (robust.py) is not among them: these were chosen together, by tests/bench/bench_findings.py.
"""

from __future__ import annotations

from typing import Literal

Family = Literal["host", "events", "key", "calls"]

CHANCE = 0.01
"""Of a hundred reports of hosts that are all alike, one may claim that a host is different."""
LOOK_CHANCE = 0.5
"""A difference that is more likely than this by chance is not even worth a look."""
LOOKS = 3
"""Differences that are worth a look, in one report."""
FAMILIES: dict[Family, float] = {"host": 0.4, "events": 0.25, "key": 0.15, "calls": 0.1}
"""How that chance is divided among what is compared: a call trace with thousands of functions must not hide
what the totals of hosts say, and numbers of events past a threshold are what was asked for."""
CRITICAL_FACTOR = 10.0
"""A figure on its bad side by this factor is critical."""

OVERLOAD = 4.0
"""A host with this many times more tasks that run or wait than processors is overloaded,"""
OVERLOAD_BUSY = 0.8
"""if these did something for so large a part of the window: else the tasks wait for a disk."""
OVERLOAD_WINDOW_S = 10.0
"""The load average of the kernel says nothing of windows that are shorter."""
STOLEN = 0.1
"""A host of whose processors' time other machines have this part is overloaded."""
LATE = 0.1
"""A host whose timers come late for this part of the window is overloaded."""

MANY_HOSTS = 5
"""Hosts with a finding of their own for the same thing; of more, the worst speaks for all."""
NAMED_EVENTS = 40
"""Hosts that are named with their number of events where the worst speaks for all."""
FEW_SAMPLES = 30
"""With fewer behind a mean, a ratio or a percentile, the finding says how few."""
ROWS = 5
"""Rows that prove a finding."""

KEYS = 200
"""Keys of one table that are compared, those with most in the whole fleet."""
SHOWN_KEYS = 5
"""Of these, as many are kept for the map of hosts and measures although nothing was found."""
CALLS = 20
"""Calls of a function on a host whose mean says something."""
CALL_NODES = 300
"""Functions (each with its callers) of one process name that are compared, those with most time in the fleet."""
CALL_EXCESS_S = 0.005
"""Seconds that all calls of a function together must lose in a window to be a finding."""
STACKS = 20
"""Stacks that a script must have counted on a host for their parts to say something."""
STACKS_PERCENT = 20.0
"""Of all stacks of a host, what must be more than on the others to be worth a word."""
REQUESTS = 3
"""Requests of a client without which their mean says nothing."""
FILES = 3
"""Files that a finding about both sides of a request names."""
