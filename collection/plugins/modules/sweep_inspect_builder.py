#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_inspect_builder
short_description: Say what a builder has for one kernel
version_added: 0.1.0
description:
  - Looks for SystemTap, kernel headers, module files and debuginfo. Delegate it to the builder.
options:
  kernel:
    description: Kernel release.
    type: str
    required: true
  module_files:
    description: Kernel modules whose files are needed.
    type: list
    elements: str
    default: []
  debuginfo:
    description: Whether the kernel's debuginfo is needed.
    type: bool
    default: false
  machine:
    description: What C(uname -m) says on the kernel's hosts.
    type: str
    default: ""
  stapruns:
    description: Versions of staprun on the hosts of this kernel; where none fits, nothing is compiled.
    type: list
    elements: str
    default: []
  sign_cert:
    description: File on the builder with the certificate that modules are signed with; empty if they are not.
    type: str
    default: ""
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Say what a builder has for one kernel
  fleetdiag.systemtap.sweep_inspect_builder:
    kernel: 6.12.107+deb13-amd64
"""

RETURN = r"""
wanted:
  description: Whether there is anything to compile that is not kept from before.
  type: bool
  returned: always
stap:
  description: Version of SystemTap on the builder; empty if it has none.
  type: str
  returned: always
signer:
  description: Who signs modules there, for kernels that want it; empty if nobody.
  type: str
  returned: always
machine:
  description: What C(uname -m) says on the builder.
  type: str
  returned: always
complete:
  description: Whether the builder has all that this kernel takes.
  type: bool
  returned: always
"""
