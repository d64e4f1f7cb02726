#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep_arm
short_description: Arm the sessions of a sweep on one host
version_added: 0.1.0
description:
  - Pushes the modules the host lacks and tries a trivial one first.
  - Starts every session as a transient systemd unit.
  - Waits until the probes are registered where the window is not chosen yet.
options:
  min_free_mb:
    description: Free space that a host that is not asked again must still have.
    type: int
    default: 200
  arm_timeout:
    description: Seconds the host may take; 0 for what the probes declare.
    type: int
    default: 0
extends_documentation_fragment:
  - fleetdiag.systemtap.sweep_step
  - fleetdiag.systemtap.sweep_step.run_dir
  - fleetdiag.systemtap.sweep_step.touches_hosts
"""

EXAMPLES = r"""
- name: Arm the sessions of a sweep on one host
  fleetdiag.systemtap.sweep_arm:
    run_dir: "{{ sweep.run_dir }}"
"""

RETURN = r"""
would_run:
  description: Whether it would be done.
  type: bool
  returned: in check mode
would_push:
  description: Names of the modules that would be sent to the host.
  type: list
  elements: str
  returned: in check mode
armed:
  description: Names of the probes whose sessions wait for the window.
  type: list
  elements: str
  returned: when nothing failed
failed_sessions:
  description: By probe, why its session could not be started.
  type: dict
  returned: when nothing failed
verdict:
  description: V(ok), V(refused) or V(failed).
  type: str
  returned: when nothing failed
reason:
  description: Why the host is not armed; empty if it is.
  type: str
  returned: when nothing failed
remedy:
  description: What would change that.
  type: str
  returned: when nothing failed
pushed:
  description: How many modules were sent to the host.
  type: int
  returned: when nothing failed
smoke:
  description: What became of the trivial module that is tried first.
  type: str
  returned: when nothing failed
"""
