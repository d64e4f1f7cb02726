#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_fetch_program
short_description: Have a host hand over a program that is probed
version_added: 0.1.0
description:
  - Keeps the file on the controller, once for each content. What is kept is not asked for again.
  - A builder compiles for it (M(fleetdiag.systemtap.stap_compile)). It is read, and never run.
options:
  file:
    description: The file, as M(fleetdiag.systemtap.sweep_assign_builds) chose it.
    type: dict
    required: true
author:
  - The fleetdiag maintainers (@fleetdiag)
attributes:
  check_mode:
    support: full
    description: In check mode nothing is read.
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

EXAMPLES = r"""
- name: Have a host hand over a program that is probed
  fleetdiag.systemtap.sweep_fetch_program:
    file: "{{ item }}"
  delegate_to: "{{ item.host }}"
  loop: "{{ plan.builds.web1.programs.values() | rejectattr('trouble') | list }}"
"""

RETURN = r"""
fetched:
  description: Whether the host was asked.
  type: bool
  returned: success
"""
