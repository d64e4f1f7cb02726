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
  - Runs again once every host is armed. Where no start was foreseen, or one that lies further ahead than it takes to
    tell every host, it is chosen now.
options:
  start:
    description: The start instant, where it is given from outside; seconds since 1970.
    type: float
    default: 0.0
  armed:
    description: The hosts are armed, so that the window can come as soon as all have heard of it.
    type: bool
    default: false
  arm_timeout:
    description: How long a host may take to arm, in seconds; 0 for what the probes ask for.
    type: int
    default: 0
  began:
    description: When the hosts were asked to arm, as this module returned it before; seconds since 1970.
    type: float
    default: 0.0
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
start:
  description: Its beginning in seconds since the epoch, on the controller's clock.
  type: float
  returned: when a window was chosen
end:
  description: Its end.
  type: float
  returned: when a window was chosen
began:
  description: When the arming began.
  type: float
  returned: always, but in check mode
"""
