#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_record_balancers
short_description: Keep what load balancers said in the run directory
version_added: 0.1.0
description:
  - Runs on the controller, each time the role P(fleetdiag.systemtap.drain#role) has asked or changed balancers.
options:
  moment:
    description: When in the sweep it was said.
    type: str
    choices: [sweep, before, lowered, start, end, restored, after]
    required: true
  batch:
    description: Number of the batch.
    type: int
    default: 0
  results:
    description: What each balancer said, by its name.
    type: dict
    default: {}
  weight:
    description: What weights are lowered to.
    type: str
    default: ""
  servers:
    description: The names of the batch's hosts in the balancers, by host.
    type: dict
    default: {}
  ttl:
    description: Seconds after which the balancers give the weights back by themselves.
    type: int
    default: 0
  probe_unfit:
    description: Whether hosts whose weight cannot be lowered are probed all the same.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Keep what the balancers counted
  fleetdiag.systemtap.sweep_record_balancers:
    run_dir: "{{ sweep.run_dir }}"
    moment: before
    results: "{{ drain_results }}"
"""

RETURN = r"""
left_out:
  description: By host, why it is not probed.
  type: dict
  returned: when not in check mode
"""
