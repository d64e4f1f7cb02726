#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_kernel_info
short_description: Have a host hand over what its kernel tells of itself
version_added: 0.1.0
description:
  - Reads the kernel's notes and symbols, and its types (BTF) where they are asked for, from a host that runs it.
  - Keeps that on the controller, once for each build id. What is kept is not asked for again.
  - A builder makes debuginfo of it (M(fleetdiag.systemtap.stap_compile)).
options:
  build_id:
    description: Build id of the kernel, as the host's preflight said it. Another one is refused.
    type: str
    required: true
  btf:
    description: Whether the types are wanted, because the kernel's headers on the builder do not carry them.
    type: bool
    default: true
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
- name: Have a host hand over what its kernel tells of itself
  fleetdiag.systemtap.sweep_kernel_info:
    build_id: b1d7a9114053a488ef493f85f85e9fc75ba9f632
  register: kernel_info
"""

RETURN = r"""
path:
  description: File on the controller.
  type: str
  returned: success
"""
