#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_fetch_examples
short_description: Bring SystemTap's examples from a builder to the controller
version_added: 0.1.0
description:
  - Finds the examples that are installed with SystemTap and keeps those asked for in the cache on the controller.
  - Delegate it to a builder. The result has an empty C(folder) where no examples are installed.
options:
  probes:
    description: Names of probes. Those that begin with C(example:) are brought.
    type: list
    elements: str
    required: true
  host:
    description: The host it is delegated to, to say where the scripts come from.
    type: str
    required: true
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Bring the scripts
  fleetdiag.systemtap.sweep_fetch_examples:
    probes: ["example:network/nettop"]
    host: builder
  delegate_to: builder
"""

RETURN = r"""
# A short summary for the next steps of the role; the scripts are in the controller's cache.
"""
