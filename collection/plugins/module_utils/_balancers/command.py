# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules haproxy_weight and lvs_weight do, for the driver they name."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import (
    policy,
    swap,
    timer,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.driver import Driver
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Entry,
    Server,
    Terms,
)


def options(record_dir: str) -> dict[str, Any]:
    """Return the argument specification that all kinds have in common."""
    return {
        "state": {"type": "str", "choices": ["lowered", "restored"], "required": True},
        "token": {"type": "str", "default": "", "no_log": False},
        "servers": {"type": "list", "elements": "str", "default": []},
        "backends": {"type": "list", "elements": "str", "default": []},
        "weight": {"type": "str", "default": "50%"},
        "floor": {"type": "int", "default": 10},
        "min_active": {"type": "int", "default": 1},
        "unfit": {"type": "str", "choices": ["fail", "leave_out"], "default": "fail"},
        "ttl": {"type": "int", "default": 300},
        "wait": {"type": "int", "default": 30},
        "record_dir": {"type": "path", "default": record_dir},
    }


def run(driver: Driver, arguments: dict[str, Any], sockets: Sequence[str] | None = None) -> None:
    """Do what the task asks and exit as a module.

    sockets: those of the balancers on this host, where the option `sockets` does not name them.
    """
    module = AnsibleModule(
        argument_spec=arguments,
        required_if=[("state", "lowered", ["servers", "token"])],
        supports_check_mode=True,
    )
    change = Change(driver, module.params, sockets or module.params["sockets"], check=module.check_mode)
    try:
        change.check_params()
        result = change.lowered() if module.params["state"] == "lowered" else change.restored()
    except (BalancerError, OSError) as error:
        module.fail_json(msg=str(error))
    if result.get("msg"):
        module.fail_json(**result)
    module.exit_json(**result)


class Change:
    """One task's change of weights on the balancers of one host."""

    def __init__(
        self, driver: Driver, params: Mapping[str, Any], sockets: Sequence[str], *, check: bool
    ) -> None:
        self.driver, self.params, self.sockets, self.check = driver, params, sockets, check

    def check_params(self) -> None:
        """Refuse what could be more than a name or a number."""
        for option in ("servers", "backends"):
            for name in self.params[option]:
                if not self.driver.NAME.fullmatch(name):
                    raise BalancerError(f"{option}: {name!r} is not {self.driver.NAME_RULE}")
        token = self.params["token"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", token):
            raise BalancerError(f"token: {token!r} is not usable; use letters, digits, _ and -")
        if not 0 <= self.params["floor"] <= 100:
            raise BalancerError(f"floor: {self.params['floor']} is not a share; say 0 to 100 per cent")
        for option, least in (("ttl", 1), ("wait", 0), ("min_active", 0)):
            if self.params[option] < least:
                raise BalancerError(f"{option}: {self.params[option]} is too small; say at least {least}")

    def lowered(self) -> dict[str, Any]:
        """Lower the weights once, and return the module's result."""
        record = self._record(self.params["token"])
        result: dict[str, Any] = {"changed": False, "sessions": {}, "settled": True, "agents": []}
        result.update(unfit={}, unknown=[])
        if os.path.exists(record):
            return {**result, "weights": _weights(records.read_record(record))}
        with contextlib.nullcontext() if self.check else records.locked(self.params["record_dir"]):
            entries, before = self._lower(record, result)
        if entries and not self.check:
            result["sessions"], result["settled"] = swap.wait_for_sessions(
                self.driver, entries, before, self.params["wait"]
            )
        return result

    def _lower(self, record: str, result: dict[str, Any]) -> tuple[list[Entry], dict[str, int]]:
        """Return the entries that are lowered, and the sessions of every server before."""
        found = [server for path in self.sockets for server in self.driver.servers(path)]
        known = records.marked(found, self.params["record_dir"])
        before = {server.label: server.sessions for server in known}
        entries = self._plan(known, result)
        if entries and not self.check:
            timer.set_timer(self.driver, record, self.params["ttl"])
            try:
                leave_out = self.params["unfit"] == "leave_out"
                weightless = swap.lower(self.driver, entries, record, leave_out=leave_out)
            finally:
                if not os.path.exists(record):
                    timer.stop_timer(self.driver, record)
            result["unfit"].update(weightless)
            entries = [entry for entry in entries if entry.server not in weightless]
        agents = {server.label for server in known if server.agent}
        result.update(changed=bool(entries), weights=_weights(entries))
        result["agents"] = sorted(agents & result["weights"].keys())
        result["diff"] = [_difference(entry.label, entry.before, entry.set) for entry in entries]
        return entries, before

    def _plan(self, known: Sequence[Server], result: dict[str, Any]) -> list[Entry]:
        """Return the entries to lower. With `unfit: leave_out` the result says which servers are not lowered."""
        names = self.params["servers"]
        terms = policy.read_terms(
            self.params["weight"],
            self.driver.MAX_WEIGHT,
            floor_percent=self.params["floor"],
            min_active=self.params["min_active"],
            backends=self.params["backends"],
        )
        here = {path: [server for server in known if server.socket == path] for path in self.sockets}
        if self.params["unfit"] == "fail":
            return [entry for own in here.values() for entry in policy.plan_all(own, names, terms)]
        return self._plan_fit(here, names, terms, result)

    @staticmethod
    def _plan_fit(
        here: Mapping[str, Sequence[Server]], names: Sequence[str], terms: Terms, result: dict[str, Any]
    ) -> list[Entry]:
        sorted_out = {path: policy.sort_out(own, names, terms) for path, own in here.items()}
        for one in sorted_out.values():
            result["unfit"].update(one.unfit)
        result["unknown"] = [
            name for name in names if all(name in one.unknown for one in sorted_out.values())
        ]
        entries: list[Entry] = []
        for path, one in sorted_out.items():
            fit = [name for name in one.fit if name not in result["unfit"]]
            entries += policy.plan(here[path], fit, terms)
        return entries

    def restored(self) -> dict[str, Any]:
        """Give back what the records say, and return the module's result; its `msg` says what could not be."""
        entries: list[Entry] = []
        troubles, readable = [], []
        for record in self._records():
            try:
                entries += records.read_record(record)
                readable.append(record)
            except BalancerError as why:  # costs no other record
                troubles.append(str(why))
        result: dict[str, Any] = {"changed": bool(entries), "weights": {}, "left": {}, "owed": {}}
        result["diff"] = [_difference(entry.label, entry.set, entry.before) for entry in entries]
        if self.check:
            return result
        for record in readable:
            given = swap.restore(self.driver, record)
            if not given.owed:
                timer.stop_timer(self.driver, record)
            result["weights"].update({label: {"after": weight} for label, weight in given.weights.items()})
            result["left"].update(given.left)
            result["owed"].update(given.owed)
            troubles += given.sentences()
        result["changed"] = bool(result["weights"])
        if troubles:
            result["msg"] = "; ".join(troubles)
        return result

    def _records(self) -> list[str]:
        """Return the record of the token, or all of them."""
        token = self.params["token"]
        return [self._record(token)] if token else records.records_in(self.params["record_dir"])

    def _record(self, token: str) -> str:
        return os.path.join(self.params["record_dir"], f"{token}.json")


def _weights(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    return {entry.label: {"before": entry.before, "after": entry.set} for entry in entries}


def _difference(label: str, before: int, after: int) -> dict[str, str]:
    return {"header": label, "before": f"weight {before}\n", "after": f"weight {after}\n"}
