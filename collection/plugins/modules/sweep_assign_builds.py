#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_assign_builds
short_description: Decide which host compiles for which kernel
version_added: 0.1.0
description:
  - Runs on the controller, over the preflights in the run directory.
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Decide which host compiles for which kernel
  fleetdiag.systemtap.sweep_assign_builds:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
