#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_set_window
short_description: Give one host its window
version_added: 0.1.0
description:
  - The instants are corrected by the offset of the host's clock.
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Give one host its window
  fleetdiag.systemtap.sweep_set_window:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
