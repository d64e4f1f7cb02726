# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that ask for the process they are made for: `target()`, which is what `stap -x PID` says.

A module has no `-x`, so such a script is compiled with a `target()` of fleetdiag's, whose value is set when the module
is loaded: the parameter `target`, or for each host what its inventory variable `sweep_target` names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import Script, Word

NAME = "target"
"""The parameter, and the global that it sets."""
VARIABLE = "sweep_target"
"""The variable of a host: the number of a process, or a unit of systemd whose main process it is."""
FUNCTION = f"\nglobal {NAME} = 0\nfunction {NAME}:long() {{ return {NAME} }}\n"
"""What is compiled with a script that asks: it takes the place of the function in SystemTap's library."""
MAX_PID = 4_194_304

_SET = re.compile(r"target_set_\w+")
_UNIT = re.compile(r"[A-Za-z0-9_.@:\\-]{1,200}")
_COMPARES = ("==", "!=")

Need = Literal["", "optional", "needed"]


def need_of(script: Script) -> Need:
    """Return whether a script asks for a process, and whether it says nothing without one."""
    if NAME in script.functions or any(variable.name == NAME for variable in script.globals):
        return ""  # its own
    words = script.words
    places = [at for at, word in enumerate(words) if word.text == NAME and _is_call(words, at)]
    sets = any(_SET.fullmatch(word.text) for word in words)
    if not places and not sets:
        return ""
    if any(not _is_compared(words, at) for at in places):
        return "optional"  # it looks whether there is one
    return "needed"


def _is_call(words: Sequence[Word], at: int) -> bool:
    return [word.text for word in words[at + 1 : at + 3]] == ["(", ")"] and words[at].kind == "name"


def _is_compared(words: Sequence[Word], at: int) -> bool:
    """Return True for `pid() == target()`; not for a comparison with 0, and not for any other use."""
    before = words[at - 1].text if at else ""
    after = [word.text for word in words[at + 3 : at + 5]]
    if before in _COMPARES:
        return words[at - 2].text != "0"
    return after[:1] != [] and after[0] in _COMPARES and after[1:] != ["0"]


def parameter(need: Need) -> dict[str, Any]:
    """Return the parameter of such a script, as a manifest has it."""
    without = "It says nothing without one." if need == "needed" else "0: of all."
    return {
        "type": "int",
        "default": 0,
        "min": 0,
        "max": MAX_PID,
        "description": f"Number of the process that the script asks for with target(); of each host the one that its"
        f" variable {VARIABLE} names (a number, or a unit). {without}",
    }


def is_asked(probe: Probe) -> bool:
    """Return True for a script that is compiled with FUNCTION."""
    return probe.target != ""


def check(probe: Probe, values: Mapping[str, object], named: Mapping[str, object]) -> None:
    """Refuse a sweep of a script that needs a process if none is given. named: VARIABLE of the hosts that have it."""
    if probe.target == "needed" and not values.get(NAME) and not named:
        title = printable(probe.title or probe.name)
        raise FleetdiagError(
            f"{title}: asks for a process (target(), as stap -x says it) and would say nothing without one; give each"
            f" host the variable {VARIABLE}, the number of a process or a unit, or the parameter {title}.{NAME}"
        )
    for host, value in named.items():
        if is_asked(probe):
            of_host(value, f"{VARIABLE} of {printable(host)}")


def of_host(value: object, where: str) -> int | str:
    """Return the number of a process, or the name of a unit. FleetdiagError if it is neither."""
    text = str(value).strip()
    if text.isdigit() and 0 < int(text) <= MAX_PID:
        return int(text)
    if not text.isdigit() and _UNIT.fullmatch(text) and not text.startswith("-"):
        return text
    raise FleetdiagError(
        f"{where}: {printable(text)[:100]!r} is neither the number of a process nor the name of a unit of systemd;"
        " write for instance nginx.service"
    )


def main_pid(printed: str) -> int:
    """Return the main process that `systemctl show --property=MainPID` printed; 0 if there is none."""
    found = re.search(r"^MainPID=([0-9]{1,7})$", printed, re.MULTILINE)
    return int(found[1]) if found else 0
