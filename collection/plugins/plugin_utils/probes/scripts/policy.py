# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script may do on a probed host, read from its text: nothing here needs SystemTap.

Levels. `script`: any script that somebody wants to run as it is, SystemTap's own examples too: no C code, no
command on the host, nothing that changes the kernel. `probe`: a folder of a catalog, whose rows a report trusts;
it also keeps to the protocol: control.stp alone ends the session, samples count only inside the window, every
array has a size, and every text it prints is escaped, so that no name can forge a row. `tapset`: what probes are
made of, where C is possible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.bounded_text import read_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import (
    first_line,
    policy_printing,
    policy_protocol,
    policy_safety,
    process_points,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.fault import Fault
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    read,
    too_deep,
    with_arguments,
)

Level = Literal["script", "probe", "tapset"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = (
    64  # of brackets: people write less than twenty, and what looks into each of them takes time for each
)

_TODO = re.compile(r"\bTODO\b")


def enforce(path: Path, level: Level, probe: Probe | None = None) -> None:
    """Raise FleetdiagError, naming file and line, for a script that may not run. probe: see `faults`."""
    found = faults(text_of(path), level, probe)
    if found:
        more = f" (and {len(found) - 1} more: fleetdiag probes check {path.parent})" if found[1:] else ""
        raise FleetdiagError(f"{found[0].sentence(path)}{more}")


def text_of(path: Path) -> str:
    """Return the script's text. FleetdiagError if it cannot be read, is no text, or is too long."""
    text = read_text(path, MAX_BYTES)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FleetdiagError(f"{path}:{line}: holds a zero byte; take it out")
    return text


def faults(text: str, level: Level, probe: Probe | None = None, arguments: Sequence[str] = ()) -> list[Fault]:
    """Return all that is wrong with a script, by line.

    probe: its manifest, for what it says of tables and parameters; without one that is not checked.
    arguments: those that `stap` gets with it, to check what they make of it.
    """
    whole = with_arguments(text, arguments, MAX_BYTES) if arguments else text
    if whole is None:
        return [Fault(1, "gets too long with its arguments", "give shorter ones, or fewer")]
    script = read(whole)
    found = [*policy_safety.broken(script), *policy_safety.system(script)]
    deep = too_deep(script.words, MAX_DEPTH)
    if deep is not None:
        what = f"more than {MAX_DEPTH} brackets are open, or closed, at once"
        return sorted({*found, Fault(deep, what, "take it apart into functions")})
    rules = [*policy_safety.RULES]
    if level != "tapset":
        rules += [policy_safety.c_code, process_points.faults]
    if level == "script":
        found += [Fault(1, what, advice) for what, advice in first_line.options_of(text).faults]
    else:
        rules += [*policy_protocol.RULES, policy_printing.texts]
    if level == "probe":
        rules += policy_protocol.OF_PROBES
        found += policy_printing.prints(script, rows=probe is not None and probe.form.records)
        if probe is not None:
            found += [fault for rule in policy_protocol.OF_MANIFESTS for fault in rule(script, probe)]
            found += policy_printing.rows(script, probe) if probe.form.records else ()
    found += [fault for rule in rules for fault in rule(script)]
    return sorted(set(found))


def unfinished(text: str) -> list[Fault]:
    """Return the comments that say TODO."""
    return [
        Fault(
            line + comment.count("\n", 0, place.start()),
            "TODO is still to do",
            "do it and remove the comment",
        )
        for line, comment in read(text).comments
        for place in _TODO.finditer(comment)
    ]
