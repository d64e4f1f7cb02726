#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_choose_window
short_description: Choose the window of a sweep
version_added: 0.1.0
description:
  - Runs on the controller before the hosts are armed. A start that is given or can be foreseen is told with the arming.
  - Runs again once every host is armed where it was not; the start then lies so far ahead that every host hears of it.
options:
  start:
    description: The start instant, where it is given from outside; seconds since 1970.
    type: float
    default: 0.0
  armed:
    description: The hosts are armed, so that the window must be chosen now.
    type: bool
    default: false
  batch:
    description: Number of the batch of hosts that it is for, from 1; 0 for all hosts.
    type: int
    default: 0
  forks:
    description: How many hosts Ansible talks to at a time.
    type: int
    default: 5
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Choose the window of a sweep
  fleetdiag.systemtap.sweep_choose_window:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
