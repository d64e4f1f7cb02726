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
  state:
    description: Whether the weights are to be lowered, or given back as the record of O(token) says.
    type: str
    choices: [lowered, restored]
    required: true
  token:
    description: Name of the record; the same for lowering and giving back. Without it, every record is given back.
    type: str
    default: ""
  sockets:
    description: Admin sockets of the balancers on this host.
    type: list
    elements: path
    default: [/run/haproxy/admin.sock]
  servers:
    description: Names of the servers in HAProxy. Needed to lower.
    type: list
    elements: str
    default: []
  backends:
    description: Only in these backends; in all that have such a server when empty.
    type: list
    elements: str
    default: []
  weight:
    description: Share of the present weight (V(50%)) or a weight from 0 to 256.
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
  record_dir:
    description: Where records are kept.
    type: path
    default: /run/fleetdiag/haproxy
attributes:
  check_mode:
    support: full
    description: Tells what would change, and what would be refused.
  diff_mode:
    support: full
    description: Shows the weights before and after.
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

import contextlib
import inspect
import os
import re
import subprocess
import sys

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils import haproxy
from ansible_collections.fleetdiag.systemtap.plugins.module_utils.haproxy import HaproxyError

UNIT = "fleetdiag-weights-"


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["lowered", "restored"], "required": True},
            "token": {"type": "str", "default": "", "no_log": False},
            "sockets": {"type": "list", "elements": "path", "default": ["/run/haproxy/admin.sock"]},
            "servers": {"type": "list", "elements": "str", "default": []},
            "backends": {"type": "list", "elements": "str", "default": []},
            "weight": {"type": "str", "default": "50%"},
            "floor": {"type": "int", "default": 10},
            "min_active": {"type": "int", "default": 1},
            "unfit": {"type": "str", "choices": ["fail", "leave_out"], "default": "fail"},
            "ttl": {"type": "int", "default": 300},
            "wait": {"type": "int", "default": 30},
            "record_dir": {"type": "path", "default": "/run/fleetdiag/haproxy"},
        },
        required_if=[("state", "lowered", ["servers", "token"])],
        supports_check_mode=True,
    )
    try:
        check(module.params)
        result = {"lowered": lowered, "restored": restored}[module.params["state"]](module)
    except (HaproxyError, OSError, subprocess.SubprocessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def check(params):
    """Refuse what could be more than a name or a number."""
    for option in ("servers", "backends"):
        for name in params[option]:
            if not haproxy.NAME.fullmatch(name):
                raise HaproxyError(
                    f"{option}: {name!r} is not a name in HAProxy; use letters, digits and _.:-"
                )
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", params["token"]):
        raise HaproxyError(f"token: {params['token']!r} is not usable; use letters, digits, _ and -")
    if not 0 <= params["floor"] <= 100:
        raise HaproxyError(f"floor: {params['floor']} is not a share; say 0 to 100 per cent")
    for option, least in (("ttl", 1), ("wait", 0), ("min_active", 0)):
        if params[option] < least:
            raise HaproxyError(f"{option}: {params[option]} is too small; say at least {least}")


def lowered(module):
    params = module.params
    record = record_of(params)
    result = {"changed": False, "sessions": {}, "settled": True, "agents": [], "unfit": {}, "unknown": []}
    if os.path.exists(record):
        return {**result, "weights": weights(haproxy.read_record(record))}
    with contextlib.nullcontext() if module.check_mode else haproxy.locked(params["record_dir"]):
        entries, before = lower(module, record, result)
    if entries and not module.check_mode:
        result["sessions"], result["settled"] = haproxy.wait_for_sessions(entries, before, params["wait"])
    return result


def lower(module, record, result):
    """Return the entries that are lowered, and the sessions of every server before."""
    params = module.params
    found = [server for path in params["sockets"] for server in haproxy.servers(path)]
    known = haproxy.marked(found, params["record_dir"])
    before = {server.label: server.sessions for server in known}
    entries = planned(params, known, result)
    if entries and not module.check_mode:
        set_timer(record, params["ttl"])
        try:
            static = haproxy.lower(entries, record, params["token"], leave_out=params["unfit"] == "leave_out")
        finally:
            if not os.path.exists(record):
                stop_timer(record)
        result["unfit"].update(static)
        entries = [entry for entry in entries if entry.server not in static]
    agents = {server.label for server in known if server.agent}
    result.update(changed=bool(entries), weights=weights(entries))
    result["agents"] = sorted(agents & result["weights"].keys())
    result["diff"] = [
        {"header": entry.label, "before": f"weight {entry.before}\n", "after": f"weight {entry.set}\n"}
        for entry in entries
    ]
    return entries, before


def planned(params, known, result):
    """The entries to lower. With `unfit: leave_out` what cannot be is noted in the result, for all sockets alike."""
    wanted = (params["backends"], params["weight"], params["floor"], params["min_active"])
    here = {path: [server for server in known if server.socket == path] for path in params["sockets"]}
    names = dict.fromkeys(here, params["servers"])
    if params["unfit"] == "leave_out":
        parted = {path: haproxy.sort_out(own, params["servers"], *wanted) for path, own in here.items()}
        for _unused, unfit, _unused2 in parted.values():
            result["unfit"].update(unfit)
        result["unknown"] = [
            name
            for name in params["servers"]
            if all(name in unknown for _unused3, _unused4, unknown in parted.values())
        ]
        names = {
            path: [name for name in fit if name not in result["unfit"]]
            for path, (fit, _unused5, _unused6) in parted.items()
        }
    return [entry for path, own in here.items() for entry in haproxy.plan(own, names[path], *wanted)]


def restored(module):
    entries, troubles, records = [], [], []
    for record in records_of(module.params):
        try:
            entries += haproxy.read_record(record)
            records.append(record)
        except HaproxyError as why:  # costs no other record
            troubles.append(str(why))
    result = {"changed": bool(entries), "weights": {}, "left": {}, "owed": {}}
    result["diff"] = [
        {"header": entry.label, "before": f"weight {entry.set}\n", "after": f"weight {entry.before}\n"}
        for entry in entries
    ]
    if module.check_mode:
        return result
    for record in records:
        given = haproxy.restore(record)
        if not given.owed:
            stop_timer(record)
        result["weights"].update({label: {"after": weight} for label, weight in given.weights.items()})
        result["left"].update(given.left)
        result["owed"].update(given.owed)
        troubles += given.sentences()
    result["changed"] = bool(result["weights"])
    if troubles:
        module.fail_json(msg="; ".join(troubles), **result)
    return result


def records_of(params):
    """The record of the token, or all of them."""
    return [record_of(params)] if params["token"] else haproxy.records_in(params["record_dir"])


def record_of(params):
    return os.path.join(params["record_dir"], f"{params['token']}.json")


def weights(entries):
    return {entry.label: {"before": entry.before, "after": entry.set} for entry in entries}


def set_timer(record, ttl):
    """A timer of the host itself, with a program that needs nothing of ours but the record."""
    program = haproxy.copy_of(record)
    with open(os.open(program, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(inspect.getsource(haproxy))
    if os.path.isdir("/run/systemd/system"):
        command = [
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={unit_of(record)}",
            f"--on-active={ttl}",
            "--timer-property=AccuracySec=1",
            # The program tries until all is given back; where something kills it, it is started again.
            "--property=Restart=on-abnormal",
            f"--property=RestartSec={haproxy.RETRY_S}",
        ]
        subprocess.run(
            [*command, sys.executable, program, record], check=True, capture_output=True, text=True
        )
        return
    # No systemd (a container): a process of its own session, which finds the record gone if it was given back.
    os.chdir("/")
    os.posix_spawn(
        sys.executable,
        [sys.executable, program, str(ttl), record],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)],
        setsid=True,
    )


def stop_timer(record):
    if os.path.isdir("/run/systemd/system"):
        units = [f"{unit_of(record)}.timer", f"{unit_of(record)}.service"]
        subprocess.run(["systemctl", "stop", *units], check=False, capture_output=True)


def unit_of(record):
    return UNIT + os.path.splitext(os.path.basename(record))[0]


if __name__ == "__main__":
    main()
