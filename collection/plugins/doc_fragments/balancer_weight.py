# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules *_weight have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description: Whether the weights are to be lowered, or given back as the record of O(token) says.
    type: str
    choices: [lowered, restored]
    required: true
  token:
    description: Name of the record; the same for lowering and giving back. Without it, every record is given back.
    type: str
    default: ""
  servers:
    description: Names of the servers as the balancer knows them. Needed to lower.
    type: list
    elements: str
    default: []
  backends:
    description: Only in these backends; in all that have such a server when empty.
    type: list
    elements: str
    default: []
  weight:
    description: Share of the present weight (V(50%)) or a weight.
    type: str
    default: 50%
  floor:
    description: Per cent of the configured weight below which none is lowered.
    type: int
    default: 10
  min_active:
    description: Active servers that must be left at full weight in each backend.
    type: int
    default: 1
  unfit:
    description:
      - What to do about servers that cannot be lowered, because too few others would be left or because of the floor.
      - With V(leave_out) the others are lowered, RV(unfit) says why these are not, and a server that this balancer does
        not know is no error.
    type: str
    choices: [fail, leave_out]
    default: fail
  ttl:
    description: Seconds after which the balancer gives the weights back by itself.
    type: int
    default: 300
  wait:
    description: Seconds to wait at most until the servers' sessions have fallen to their new share.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: Tells what would change, and what would be refused.
  diff_mode:
    support: full
    description: Shows the weights before and after.
"""
