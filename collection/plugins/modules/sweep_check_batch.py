#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_check_batch
short_description: See what became of a batch before the next one begins
version_added: 0.1.0
description:
  - Runs on the controller. Where a canary had trouble, or too many hosts of another batch, no further batch begins.
options:
  number:
    description: Number of the batch that is to begin, from 1; 0 in a sweep without batches.
    type: int
    required: true
  hosts:
    description: The hosts of the batch.
    type: list
    elements: str
    default: []
  max_failed_percent:
    description: Share of a batch that may have trouble.
    type: int
    default: 50
  max_cpu_percent:
    description: Share of a processor that the session of a probe may use on a canary; 0 for any.
    type: int
    default: 50
  arm_timeout:
    description: Seconds a host may take to arm; 0 for the sum of what its probes declare.
    type: int
    default: 0
  start:
    description: When the window begins, in seconds since 1970; 0 to let the sweep choose.
    type: float
    default: 0.0
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Whether to go on
  fleetdiag.systemtap.sweep_check_batch:
    run_dir: "{{ sweep.run_dir }}"
    number: 2
"""

RETURN = r"""
go:
  description: Whether the batch may begin.
  type: bool
  returned: always
servers:
  description: The names of these hosts in the load balancers, by host.
  type: dict
  returned: always
token:
  description: Name of the change of weights for this batch.
  type: str
  returned: always
ttl_s:
  description: Seconds after which the weights must be as before, whatever happens.
  type: int
  returned: always
"""
