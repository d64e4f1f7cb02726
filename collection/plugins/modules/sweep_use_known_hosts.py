#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_use_known_hosts
short_description: Take what is known of the hosts from earlier sweeps
version_added: 0.1.0
description:
  - Runs on the controller. Hosts whose facts and modules are known need no preflight and no build; when they are armed,
    they check that they were not booted since.
options:
  min_free_mb:
    description: Free space a target must have.
    type: int
    default: 200
  signed:
    description:
      - Whether modules are signed for the kernel. A host whose modules were the other way is not known.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Take what is known of the hosts from earlier sweeps
  fleetdiag.systemtap.sweep_use_known_hosts:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
known:
  description: Hosts that need not be asked, with the kernel of each.
  returned: always
  type: dict
"""
