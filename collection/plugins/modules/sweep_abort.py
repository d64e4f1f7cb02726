#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_abort
short_description: End all sessions of all sweeps on one host
version_added: 0.1.0
description:
  - Sessions are stopped and their modules unloaded, whoever started them. What they sampled stays on the host.
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: End everything on one host
  fleetdiag.systemtap.sweep_abort:
"""

RETURN = r"""
would_run:
  description: Whether it would be done.
  type: bool
  returned: in check mode
sweeps:
  description: Names of the sweeps that were ended on this host.
  type: list
  elements: str
  returned: always
modules:
  description: How many modules were unloaded.
  type: int
  returned: always
"""
