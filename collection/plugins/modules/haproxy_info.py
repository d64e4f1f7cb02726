#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a HAProxy counted for each of its servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_info
short_description: Weights, sessions and errors of the servers of a HAProxy
version_added: 0.1.0
description:
  - Reads through HAProxy's admin sockets, on the host where HAProxy runs, what it says of each backend and server.
  - Counts are those since HAProxy started; the difference of two answers is what happened between them.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  sockets:
    description: Admin sockets of the balancers on this host.
    type: list
    elements: path
    default: [/run/haproxy/admin.sock]
  backends:
    description: Only these backends; all when empty.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: How are requests shared?
  fleetdiag.systemtap.haproxy_info:
  register: balancer
"""

RETURN = r"""
servers:
  description: One entry for each server, and one with C(server) empty for each backend as a whole.
  type: list
  elements: dict
  returned: always
  contains:
    socket: {description: The admin socket., type: str, returned: always}
    backend: {description: Name of the backend., type: str, returned: always}
    server: {description: Name of the server., type: str, returned: always}
    mode: {description: Whether it balances C(http) or C(tcp)., type: str, returned: always}
    status: {description: 'C(UP), C(MAINT) and so on.', type: str, returned: always}
    weight: {description: Its weight now., type: int, returned: always}
    initial: {description: Its weight in the configuration., type: int, returned: always}
    current: {description: Sessions now., type: int, returned: always}
    total: {description: Sessions since HAProxy started., type: int, returned: always}
    no_connection: {description: Requests that could not be sent to it., type: int, returned: always}
    bad_response: {description: Answers that broke off or were none., type: int, returned: always}
    retried: {description: Connections that were tried again., type: int, returned: always}
    redispatched: {description: Requests that went to another server after all., type: int, returned: always}
    http_5xx: {description: Answers that say the server failed., type: int, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import haproxy
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import BalancerError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sockets": {"type": "list", "elements": "path", "default": ["/run/haproxy/admin.sock"]},
            "backends": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        found = [
            entry
            for path in module.params["sockets"]
            for entry in haproxy.statistics(path, module.params["backends"])
        ]
    except BalancerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, servers=found)


if __name__ == "__main__":
    main()
