#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_collect
short_description: End the sessions of one host and bring their output back
version_added: 0.1.0
description:
  - The transfer is bounded, checksummed and path-safe. One that is cut off is done once more.
  - A host whose output is in the run directory already is left alone.
  - Afterwards no module, unit or file of the sweep is left on the host.
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: End the sessions of one host and bring their output back
  fleetdiag.systemtap.sweep_collect:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
