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
  - A step of the role P(fleetdiag.systemtap.sweep#role), which is the way to use it.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  run_dir:
    description: The run directory of the sweep.
    type: str
    required: true
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
attributes:
  action:
    support: full
    description: There is an action plugin of this name; nothing of this file runs on the host.
  check_mode:
    support: full
    description: In check mode nothing is done on the host; the result says C(would_run).
  diff_mode:
    support: none
    description: There is nothing to compare.
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
