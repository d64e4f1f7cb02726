#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_create
short_description: Check what a sweep asks for and make its run directory
version_added: 0.1.0
description:
  - Runs on the controller.
  - Validates probes, parameters and window, and fails with one sentence before any host is touched.
options:
  canary:
    description: How many hosts of each set of peers are probed before the others, as V(1) or V(10%); none when empty.
    type: str
    default: ""
  batch:
    description: How many hosts are probed at a time, as V(5) or V(25%); all when empty.
    type: str
    default: ""
  drain:
    description: What the weight of the hosts is lowered to on the load balancers; empty to leave it.
    type: str
    default: ""
  ahead:
    description: Only prepare the hosts, for a sweep that comes later.
    type: bool
    default: false
  balancers:
    description: The load balancers.
    type: list
    elements: str
    default: []
  probes:
    description: Names of the probes.
    type: list
    elements: str
    required: true
  parameters:
    description: Parameters, by probe and name.
    type: dict
    default: {}
  start:
    description: When the window begins, in seconds since 1970; 0 to let the sweep choose.
    type: float
    default: 0.0
  window:
    description: Length of the window, in seconds or as a number with V(s), V(m) or V(h).
    type: raw
    required: true
  catalogs:
    description: Directories with probe folders of one's own.
    type: list
    elements: path
    default: []
  runs_dir:
    description: Where to make the run directory; empty for the default.
    type: str
    default: ""
  hosts:
    description: The hosts of the sweep, builders among them are left out.
    type: list
    elements: str
    required: true
  builders:
    description: The hosts that compile.
    type: list
    elements: str
    default: []
  overload_percent:
    description: Share of a processor at which a probe ends itself; 0 for what each manifest says.
    type: int
    default: 0
  baseline:
    description: Earlier sweeps of the same probes that each host's figures are compared with; 0 for none.
    type: int
    default: 20
  name:
    description: Name of a sweep that is run again and again; its runs are compared with each other. None when empty.
    type: str
    default: ""
  slot:
    description: The moment of the schedule that the run is for; empty for one that was started by hand.
    type: str
    default: ""
  trigger:
    description: What started the sweep.
    type: str
    choices: [hand, timer]
    default: hand
  memory:
    description: How the run is compared with earlier ones of its name.
    type: dict
    default: {}
  retry_crashed:
    description: Whether a host may be probed again with the probe with which it went down.
    type: bool
    default: false
  redact:
    description: Take secrets out of what the probes print, on the hosts, before it is brought back.
    type: bool
    default: true
  examples:
    description: Folders with SystemTap's examples, from M(fleetdiag.systemtap.sweep_fetch_examples). The first counts.
    type: list
    elements: str
    default: []
  examples_trouble:
    description: Why it found none, if it did not.
    type: list
    elements: str
    default: []
  examples_debuginfo:
    description: Build examples and scripts with the kernel's debug symbols.
    type: bool
    default: false
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.looks_only
"""

EXAMPLES = r"""
- name: Check what a sweep asks for and make its run directory
  fleetdiag.systemtap.sweep_create:
    probes: [slow_open]
    window: 30s
    hosts: "{{ ansible_play_hosts_all }}"
"""

RETURN = r"""
run_dir:
  description: The run directory that was made.
  type: str
  returned: always
sweep:
  description: Name of the sweep, which is that of its directory.
  type: str
  returned: always
check:
  description: Whether this is check mode, so that hosts are only asked; the run directory is no sweep's then.
  type: bool
  returned: always
programs:
  description: Paths of the programs and libraries that the scripts probe.
  type: list
  elements: str
  returned: always
window_s:
  description: Length of the window in seconds.
  type: int
  returned: always
in_batches:
  description: Whether the hosts are probed one batch after the other.
  type: bool
  returned: always
at_once:
  description: Whether all hosts are probed in one window. Neither, where probes are only compiled ahead.
  type: bool
  returned: always
"""
