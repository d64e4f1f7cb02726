#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_preflight
short_description: Ask one host whether and how it can be probed
version_added: 0.1.0
description:
  - One round trip for the facts and a few short ones to compare clocks. No Python is needed on the host.
options:
  min_free_mb:
    description: Free space that the host must have.
    type: int
    default: 200
  signed:
    description: Whether modules are signed, so that a host whose kernel loads no others can be probed.
    type: bool
    default: false
  install:
    description: Whether a sweep would install the runtime where it is missing; in check mode the remedy says so.
    type: bool
    default: false
  programs:
    description: Paths of programs that are probed, as M(fleetdiag.systemtap.sweep_create) returns them.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Ask one host whether and how it can be probed
  fleetdiag.systemtap.sweep_preflight:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
msg:
  description: Why the host would not be probed as it is.
  type: str
  returned: in check mode, if it is refused
verdict:
  description: V(ok), or V(refused).
  type: str
  returned: always
reason:
  description: Why the host is refused; empty if it is not.
  type: str
  returned: always
remedy:
  description: What would change that.
  type: str
  returned: always
kernel:
  description: Release of the kernel that runs.
  type: str
  returned: always
runtime_missing:
  description: Whether SystemTap's runtime is missing.
  type: bool
  returned: always
clock_offset_s:
  description: How far the host's clock is ahead of the controller's, in seconds.
  type: float
  returned: always
"""
