# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of every step of a sweep has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
author:
  - The fleetdiag maintainers (@fleetdiag)
notes:
  - A step of the role P(fleetdiag.systemtap.sweep#role), which is the way to use it.
attributes:
  action:
    support: full
    description: There is an action plugin of this name; nothing of this file runs on the host.
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

    RUN_DIR = r"""
options:
  run_dir:
    description: The run directory of the sweep.
    type: str
    required: true
"""

    TOUCHES_HOSTS = r"""
attributes:
  check_mode:
    support: full
    description: In check mode nothing is done on the host; the result says C(would_run).
"""

    LOOKS_ONLY = r"""
attributes:
  check_mode:
    support: full
    description: Nothing is changed on the host, in check mode or not.
"""
