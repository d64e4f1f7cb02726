#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_collect
short_description: End the sessions of one host and bring their output back
version_added: 0.1.0
description:
  - The transfer is bounded, checksummed and path-safe.
  - Afterwards no module, unit or file of the sweep is left on the host.
  - A step of the role P(fleetdiag.systemtap.sweep#role), which is the way to use it.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  run_dir:
    description: The run directory of the sweep.
    type: str
    required: true
attributes:
  action:
    support: full
    description: There is an action plugin of this name; nothing of this file runs on the host.
  check_mode:
    support: full
    description: In check mode nothing is done on the host; the result says C(would_run).
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

EXAMPLES = r"""
- name: End the sessions of one host and bring their output back
  fleetdiag.systemtap.sweep_collect:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
