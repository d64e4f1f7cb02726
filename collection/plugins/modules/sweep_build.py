#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_build
short_description: Compile the probes of a sweep for one kernel
version_added: 0.1.0
description:
  - Takes from the controller's store what was compiled before.
  - Has the rest compiled by M(fleetdiag.systemtap.stap_compile) and brings it into the store.
  - Delegate it to the builder.
options:
  kernel:
    description: Kernel release.
    type: str
    required: true
  build_id:
    description: Build-id of the kernel.
    type: str
    default: ""
  builder:
    description: Name of the builder.
    type: str
    required: true
  stap:
    description: Version of SystemTap on the builder; empty if it has none.
    type: str
    default: ""
  lacks:
    description: Why the builder could not be given what it needs for this kernel; empty if it could.
    type: str
    default: ""
  stapruns:
    description: Versions of staprun on the hosts of this kernel; where none fits, nothing is compiled.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Compile the probes of a sweep for one kernel
  fleetdiag.systemtap.sweep_build:
    run_dir: "{{ sweep.run_dir }}"
    kernel: 6.12.107+deb13-amd64
    builder: builder1
"""

RETURN = r"""
# A short summary for the next steps of the role; the data are in the run directory.
"""
