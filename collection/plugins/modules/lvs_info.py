#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LVS counted for each of its real servers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lvs_info
short_description: Weights and connections of the real servers of LVS
version_added: 0.1.0
description:
  - Reads with C(ipvsadm), on the host whose kernel balances, what it counted for each real server of each service.
  - Counts are those since the server was added; the difference of two answers is what happened between them.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  backends:
    description: Only these services, as in C(tcp 10.0.0.1:80); all when empty.
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
- name: How are connections shared?
  fleetdiag.systemtap.lvs_info:
  register: balancer
"""

RETURN = r"""
servers:
  description: One entry for each real server.
  type: list
  elements: dict
  returned: always
  contains:
    socket: {description: Always C(lvs)., type: str, returned: always}
    backend: {description: 'The service, as in C(tcp 10.0.0.1:80).', type: str, returned: always}
    server: {description: 'The server, as in C(10.0.0.2:80).', type: str, returned: always}
    weight: {description: Its weight now., type: int, returned: always}
    current: {description: Active connections now., type: int, returned: always}
    total: {description: Connections since it was added., type: int, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import lvs
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import BalancerError


def main() -> None:
    module = AnsibleModule(
        argument_spec={"backends": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    try:
        found = lvs.statistics(backends=module.params["backends"])
    except BalancerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, servers=found)


if __name__ == "__main__":
    main()
