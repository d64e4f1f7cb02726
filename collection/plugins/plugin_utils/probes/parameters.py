# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a sweep: probe parameters and the window, checked and coerced before any host is touched.

Values come from YAML (typed) or the command line (always text), so text that spells a number or a truth value
is one.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.pattern import MAX_TEXT
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Parameter, Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

ParameterValue = int | bool | str

INTERVAL = Parameter("interval_s", "int", 5, "Seconds from one print to the next.", min=1, max=3600, unit="s")
"""The parameter that every probe with an interval table has without declaring it."""

STRING_PATTERN = r"^[A-Za-z0-9_.:/@-]*$"
"""What a string parameter may hold unless its manifest says otherwise."""

MIN_WINDOW_S = 1
MAX_WINDOW_S = 86_400

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}
_SAFE = re.compile(r"[!#-&(-\[\]-~]*")  # printable ASCII but space, quotes and backslash
_WORDS = re.compile(r"[ -~]*")
_WINDOW = re.compile(rf"([+-]?[0-9]+)\s*({'|'.join(quantities.SECONDS_OF)})")


def declared(probe: Probe) -> dict[str, Parameter]:
    """Return all parameters of the probe by name, the implicit `interval_s` last."""
    parameters = dict(probe.parameters)
    if probe.has_intervals:
        parameters.setdefault(INTERVAL.name, INTERVAL)
    return parameters


def check(probe: Probe, given: Mapping[str, object]) -> dict[str, ParameterValue]:
    """Return every parameter of the probe with its value: given ones checked, the others at their default.

    Raises FleetdiagError, naming probe and parameter, for an unknown one, a wrong type, a value out of range and
    arguments that have to be given.
    """
    known = declared(probe)
    title = printable(probe.title or probe.name)
    for name in given:
        if name not in known:
            raise FleetdiagError(f"probe {title}: parameter {_shown(name)}: {_unknown(name, known)}")
    values = {
        name: coerce(parameter, given.get(name, parameter.default), f"probe {title}: parameter {name}")
        if name in given or parameter.type == "words"
        else parameter.default
        for name, parameter in known.items()
    }
    arguments = split(probe, values)[1]
    if probe.unmodified and probe.script and arguments:
        # An argument becomes part of the script, and may change what stands behind it.
        for fault in policy.faults(policy.text_of(probe.script), "script", arguments=arguments):
            raise FleetdiagError(
                f"probe {title}: with the arguments {_shown(shlex.join(arguments))} line {fault.line} of the script"
                f" {fault.what}; {fault.advice}, or give other arguments"
            )
    return values


def of_probe(probe: Probe, given: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values given for this probe, by the name the user knows it by or its own."""
    values = given.get(probe.title, given.get(probe.name, {}))
    return values if isinstance(values, Mapping) else {}


def check_names(probes: Iterable[Probe], given: Mapping[str, object]) -> None:
    """Refuse parameters for a probe that is not part of the sweep, and values that are no mapping."""
    probes = list(probes)
    names = [printable(probe.title or probe.name) for probe in probes]
    for name, values in given.items():
        if not any(name in (probe.name, probe.title) for probe in probes):
            raise FleetdiagError(
                f"parameters for probe {_shown(name)}: it is not part of this sweep"
                f" ({', '.join(names) or 'which has no probes'}); add it to the probes or take them out"
            )
        if not isinstance(values, Mapping):
            raise FleetdiagError(
                f"parameters for probe {name}: {_shown(values)} is no mapping;"
                " give name: value pairs, for instance {threshold_ms: 500}"
            )


def split(probe: Probe, values: Mapping[str, ParameterValue]) -> tuple[dict[str, int | str], list[str]]:
    """Return (script globals set at load, compiler arguments in manifest order). `values` comes from `check`."""
    load: dict[str, int | str] = {}
    arguments: list[str] = []
    for name, parameter in declared(probe).items():
        value = values.get(name, parameter.default)
        value = int(value) if isinstance(value, bool) else value
        if parameter.type == "words":
            arguments += shlex.split(str(value))
        elif parameter.when == "compile":
            arguments.append(str(value))
        else:
            load[name] = value
    return load, arguments


def module_files(probe: Probe, values: Mapping[str, ParameterValue]) -> list[str]:
    """Return the names of the kernel modules whose files a builder must have, `{parameter}` replaced by its value."""
    filled = []
    for name in probe.module_files:
        parameter = name.strip("{}")
        filled.append(str(values[parameter]) if name.startswith("{") else name)
    return filled


def parse_assignments(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return `{"slow_open": {"threshold_ms": "500"}}` of `["slow_open.threshold_ms=500"]`, in the order given."""
    given: dict[str, dict[str, str]] = {}
    for text in texts:
        left, equals, value = text.partition("=")
        probe, dot, name = left.strip().rpartition(".")
        if not (equals and dot and probe and name):
            raise FleetdiagError(
                f"parameter {_shown(text)}: is not of the form PROBE.NAME=VALUE;"
                " write it like slow_open.threshold_ms=500"
            )
        values = given.setdefault(probe, {})
        if name in values:
            raise FleetdiagError(
                f"parameter {_shown(left.strip())}: is given twice,"
                f" as {_shown(values[name])} and {_shown(value)}; give it once"
            )
        values[name] = value
    return given


def parse_window(window: object) -> int:
    """Return the seconds of `30`, `"30"`, `"30s"`, `"2min"`, `"1h"`. Raises FleetdiagError unless 1 s to 24 h."""
    if isinstance(window, int) and not isinstance(window, bool):
        seconds = window
    else:
        match = _WINDOW.fullmatch(window.strip().lower()) if isinstance(window, str) else None
        if match is None or len(match[1]) > 18:
            raise FleetdiagError(f"window {_shown(window)}: is not a time; write seconds, or like 30s or 2m")
        seconds = int(match[1]) * quantities.SECONDS_OF[match[2]]
    if not MIN_WINDOW_S <= seconds <= MAX_WINDOW_S:
        raise FleetdiagError(
            f"window {_shown(window)}: is out of range;"
            f" choose {MIN_WINDOW_S} to {MAX_WINDOW_S} seconds (24 h)"
        )
    return seconds


def coerce(parameter: Parameter, value: object, where: str) -> ParameterValue:
    """Return `value` as the parameter's type, within its range or pattern. `where` begins the error's message."""
    if parameter.type == "int":
        return _int(parameter, value, where)
    if parameter.type == "bool":
        return _bool(value, where)
    if parameter.type == "words":
        return _words(parameter, value, where)
    return _string(parameter, value, where)


def _int(parameter: Parameter, value: object, where: str) -> int:
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FleetdiagError(f"{where}: {_shown(value)} is not a whole number; give one{_range(parameter)}")
    low = -(2**63) if parameter.min is None else parameter.min
    high = 2**63 - 1 if parameter.max is None else parameter.max
    if not low <= value <= high:
        raise FleetdiagError(f"{where}: {_shown(value)} is out of range; choose a number{_range(parameter)}")
    return value


def _range(parameter: Parameter) -> str:
    unit = f" ({parameter.unit})" if parameter.unit else ""
    if parameter.min is not None and parameter.max is not None:
        return f" from {parameter.min} to {parameter.max}{unit}"
    if parameter.min is not None:
        return f" of at least {parameter.min}{unit}"
    if parameter.max is not None:
        return f" of at most {parameter.max}{unit}"
    return f" of at most 64 bits{unit}"


def _bool(value: object, where: str) -> bool:
    truth = _TRUTH.get(str(value).strip().lower()) if isinstance(value, (bool, int, str)) else None
    if truth is None:
        raise FleetdiagError(f"{where}: {_shown(value)} is neither true nor false; give one of them")
    return truth


def _string(parameter: Parameter, value: object, where: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # a name of digits that YAML took for a number
    if not isinstance(value, str):
        raise FleetdiagError(f"{where}: {_shown(value)} is not text; put it in quotes")
    if not _SAFE.fullmatch(value):
        raise FleetdiagError(
            f"{where}: {_shown(value)} holds a space, a quote, a backslash or a character that is not ASCII,"
            " which staprun cannot pass; leave it out"
        )
    pattern = parameter.pattern or STRING_PATTERN
    if parameter.pattern and len(value) > MAX_TEXT:
        raise FleetdiagError(f"{where}: is longer than {MAX_TEXT} characters; choose a shorter value")
    if not re.fullmatch(pattern, value):
        raise FleetdiagError(f"{where}: {_shown(value)} does not match {pattern}; choose a value that does")
    if parameter.when == "compile" and value.startswith("-"):
        raise FleetdiagError(f"{where}: {_shown(value)} would be an option of stap; do not begin it with -")
    return value


def _words(parameter: Parameter, value: object, where: str) -> str:
    """Return the arguments of a script as one text: they reach the compiler one by one, without a shell."""
    if isinstance(value, (list, tuple)):
        value = shlex.join(str(word) for word in value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _WORDS.fullmatch(value):
        raise FleetdiagError(
            f"{where}: {_shown(value)} is not one line of ASCII text; write the arguments as in a shell"
        )
    try:
        words = shlex.split(value)
    except ValueError:
        raise FleetdiagError(f"{where}: {_shown(value)} holds a quote that does not end; close it") from None
    least = parameter.min or 0
    if len(words) < least:
        says = f"needs {least} argument{'s' * (least != 1)}, {len(words) or 'none'} given"
        setting = where.removeprefix("probe ").replace(": parameter ", ".")
        raise FleetdiagError(f"{where}: {says}; write {setting}='...' ({parameter.description.rstrip('.')})")
    # An argument becomes part of the script. Paths hold `/*`, which begins no comment that could hide the rest.
    for fault in policy.faults("\n".join(words).replace("/*", "/ *"), "script"):
        raise FleetdiagError(f"{where}: {_shown(value)} {fault.what}; {fault.advice}")
    for word in words:
        if word.startswith("-"):
            raise FleetdiagError(
                f"{where}: {_shown(word)} would be an option of stap; do not begin it with -"
            )
    return value


def _unknown(name: str, known: Mapping[str, object]) -> str:
    if not known:
        return "is not known, the probe has no parameters; take it out"
    near = difflib.get_close_matches(str(name), known, n=1)
    advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
    return f"is not known to the probe; {advice}"


def _shown(value: object) -> str:
    return printable(value if isinstance(value, str) else repr(value))[:100]
