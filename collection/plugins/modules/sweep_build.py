#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_build
short_description: Compile the probes of a sweep for one kernel
version_added: 0.1.0
description:
  - Takes from the controller's store what was compiled before.
  - Has the rest compiled by M(fleetdiag.systemtap.stap_compile) and brings it into the store. Two sweeps never have the
    same module compiled at the same time; the second waits for the first.
  - What the builder could not do, by no fault of a script, is left to the next builder, which the result names.
  - Delegate it to the builder.
options:
  build:
    description: What is to be built, as M(fleetdiag.systemtap.sweep_assign_builds) decided.
    type: dict
    required: true
    suboptions:
      kernel:
        description: Kernel release.
        type: str
        required: true
      build_id:
        description: Build-id of the kernel.
        type: str
        default: ""
      builders:
        description: Whom to ask, one after the other.
        type: list
        elements: str
        required: true
      leader:
        description: The host in whose name it is built.
        type: str
        default: ""
      names:
        description: Names of the modules.
        type: list
        elements: str
        required: true
      whole:
        description: Whether these are all that the kernel needs.
        type: bool
        default: true
      target_mode:
        description: Whether there is no builder, so that the leader compiles for itself.
        type: bool
        default: false
      stapruns:
        description: Versions of staprun on the hosts of this kernel; where none fits, nothing is compiled.
        type: list
        elements: str
        default: []
      machine:
        description: What C(uname -m) says on the kernel's hosts.
        type: str
        default: ""
      programs:
        description: The builds of the hosts' programs that are probed, by path.
        type: dict
        default: {}
  builder:
    description: The builder whose turn it is.
    type: str
    required: true
  stap:
    description: Version of SystemTap on the builder; empty if it has none.
    type: str
    default: ""
  machine:
    description: What C(uname -m) says on the builder, which refuses hosts that it cannot compile for.
    type: str
    default: ""
  lacks:
    description: Why the builder could not be given what it needs for this kernel; empty if it could.
    type: str
    default: ""
  cache_dir:
    description: Where the builder keeps modules; empty leaves that to M(fleetdiag.systemtap.stap_compile).
    type: str
    default: ""
  kernel_info:
    description:
      - File with what a host of this kernel handed over (M(fleetdiag.systemtap.sweep_kernel_info)), sent to the builder
        for scripts that want more than the kernel's headers have.
      - Without it such scripts are left out of the record, and the result names them.
    type: str
    default: ""
  kernel_info_trouble:
    description: Why there is no O(kernel_info); such scripts then fail with this reason.
    type: str
    default: ""
  programs_trouble:
    description: Why hosts did not hand over programs that are probed, one sentence for each.
    type: list
    elements: str
    default: []
  sign_key:
    description: File on the builder with the key that modules are signed with; empty if they are not.
    type: str
    default: ""
  sign_cert:
    description: File on the builder with the certificate that belongs to it.
    type: str
    default: ""
  signer:
    description: Fingerprint of that certificate, as M(fleetdiag.systemtap.sweep_inspect_builder) found it.
    type: str
    default: ""
  store_mb:
    description: Size that the modules in the controller's store may have together.
    type: int
    default: 2048
  builder_mb:
    description: The same on the builder; 0 leaves that to M(fleetdiag.systemtap.stap_compile).
    type: int
    default: 0
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Compile the probes of a sweep for one kernel
  fleetdiag.systemtap.sweep_build:
    run_dir: "{{ sweep.run_dir }}"
    build:
      kernel: 6.12.107+deb13-amd64
      builders: [builder1, builder2]
      names: [smoke, nettop]
    builder: builder1
    stap: "5.6"
"""

RETURN = r"""
would_run:
  description: Whether it would be done.
  type: bool
  returned: in check mode
would_compile:
  description: Names of the modules that would be compiled; those that the controller's store has are not.
  type: list
  elements: str
  returned: in check mode
next:
  description: The builder that is to take over; empty if nothing is left to build or nobody to build it.
  type: str
  returned: always
counts:
  description: How many modules were V(built), V(cached) or V(failed) in this turn.
  type: dict
  returned: always
builder:
  description: The builder whose turn it was.
  type: str
  returned: always
kernel_info:
  description: Names of the modules that want more than the kernel's headers have, where that was not tried yet.
  type: list
  elements: str
  returned: always
btf:
  description: Whether the kernel's headers on the builder carry its types (BTF).
  type: bool
  returned: always
kernel:
  description: Release of the kernel that it was for.
  type: str
  returned: always
errors:
  description: What was said of those that failed.
  type: dict
  returned: always
"""
