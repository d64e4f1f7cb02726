#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_plan_batches
short_description: Decide who is probed when
version_added: 0.1.0
description:
  - Runs on the controller, once it is known which hosts can be probed. Canaries come first, then batch after batch.
options:
  canary:
    description: How many hosts of each set of peers are probed before the others, as V(1) or V(10%); none when empty.
    type: str
    default: ""
  batch:
    description: How many hosts are probed at a time, as V(5) or V(25%); all when empty.
    type: str
    default: ""
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Decide who is probed when
  fleetdiag.systemtap.sweep_plan_batches:
    run_dir: "{{ sweep.run_dir }}"
    canary: "1"
"""

RETURN = r"""
batches:
  description: The batches in their order; without canaries and batches one with the number 0.
  type: list
  elements: dict
  returned: always
"""
