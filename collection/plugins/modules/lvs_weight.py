#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lower the weight of real servers in LVS for a while, and give it back whatever happens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lvs_weight
short_description: Lower server weights in LVS for a while and give them back
version_added: 0.1.0
description:
  - Lowers the weight of real servers with C(ipvsadm), on the host whose kernel balances, all or none.
  - A backend is a virtual service (C(tcp 10.0.0.1:80)), a server a real one (C(10.0.0.2:80)).
  - Before the first weight changes, a record is written and a timer set that gives every weight back after
    O(ttl), whatever became of the controller. Where C(ipvsadm) fails then, it is tried again until it does not.
  - Changes weights only. A weight that somebody else changed meanwhile is left alone.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  record_dir:
    description: Where records are kept.
    type: path
    default: /run/fleetdiag/lvs
extends_documentation_fragment: fleetdiag.systemtap.balancer_weight
"""

EXAMPLES = r"""
- name: Send less to 10.0.0.2 while it is probed
  fleetdiag.systemtap.lvs_weight:
    state: lowered
    token: sweep-1
    servers: ["10.0.0.2:80"]
    ttl: 120
  delegate_to: balancer1

- name: Give it back
  fleetdiag.systemtap.lvs_weight:
    state: restored
    token: sweep-1
  delegate_to: balancer1
"""

RETURN = r"""
weights:
  description: For each server that was lowered, its weight before and after.
  type: dict
  returned: always
sessions:
  description: Current sessions of each lowered server after the wait.
  type: dict
  returned: when state is lowered
settled:
  description: Whether the sessions fell to their new share in time.
  type: bool
  returned: when state is lowered
agents:
  description: Always empty; LVS asks no server for its weight.
  type: list
  elements: str
  returned: when state is lowered
unfit:
  description: With O(unfit=leave_out), for each server that is not lowered, why.
  type: dict
  returned: when state is lowered
unknown:
  description: With O(unfit=leave_out), the servers that this balancer does not know.
  type: list
  elements: str
  returned: when state is lowered
left:
  description: For each server whose weight was left alone because it is somebody else's now, why.
  type: dict
  returned: when state is restored
owed:
  description: For each server whose weight could not be given back yet, the C(weight) and C(why). The module fails then.
  type: dict
  returned: when state is restored
"""

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import command, lvs


def main() -> None:
    command.run(lvs, command.options("/run/fleetdiag/lvs"), [lvs.SOCKET])


if __name__ == "__main__":
    main()
