#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lower the weight of servers in a HAProxy for a while, and give it back whatever happens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_weight
short_description: Lower server weights in HAProxy for a while and give them back
version_added: 0.1.0
description:
  - Lowers the weight of servers through HAProxy's admin sockets, on the host where HAProxy runs, all or none.
  - Before the first weight changes, a record is written and a timer set that gives every weight back after
    O(ttl), whatever became of the controller. Where HAProxy does not answer then, it is asked again until it does.
  - Changes weights only. A server in maintenance or drain stays there, and a weight that somebody else changed
    meanwhile is left alone.
  - Weights set at run time are lost when HAProxy reloads; giving them back is then nothing to do, and no error.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  sockets:
    description: Admin sockets of the balancers on this host.
    type: list
    elements: path
    default: [/run/haproxy/admin.sock]
  record_dir:
    description: Where records are kept.
    type: path
    default: /run/fleetdiag/haproxy
extends_documentation_fragment: fleetdiag.systemtap.balancer_weight
"""

EXAMPLES = r"""
- name: Send less to web1 while it is probed
  fleetdiag.systemtap.haproxy_weight:
    state: lowered
    token: sweep-1
    servers: [web1]
    ttl: 120
  delegate_to: balancer1

- name: Give it back
  fleetdiag.systemtap.haproxy_weight:
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
  description: The lowered servers that HAProxy asks for their weight (C(agent-check)), so that it may not stay lowered.
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

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import command, haproxy


def main() -> None:
    sockets = {"type": "list", "elements": "path", "default": ["/run/haproxy/admin.sock"]}
    command.run(haproxy, {**command.options("/run/fleetdiag/haproxy"), "sockets": sockets})


if __name__ == "__main__":
    main()
