# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the command: named sweeps, their clock, who is told. One file, checked as a whole.

config.schema.json has its form; this module what must fit together in it, and the values a sweep ends up with.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import (
    config_file,
    json_schema,
    quantities,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Place
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import references
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.parameters import (
    MAX_WINDOW_S,
    MIN_WINDOW_S,
)

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

SCHEMA = Path(__file__).with_name("config.schema.json")
DAY_S = 86_400
_PATHS = ("catalogs", "runs_dir", "become_password_file")
_TYPES = {"object": "a table", "array": "a list", "string": "text", "integer": "a whole number"}
_TYPES |= {"boolean": "true or false"}
_FORMS = {
    "duration": "write it like 30s, 10min, 6h or 7d",
    "name": "use a-z, 0-9, _, . and -, at most 63 of them, a letter or digit first",
    "url": "write http:// or https:// and the rest",
    "quiet": "write it like 'Sun 02:00..04:00' or '22:00..24:00'",
    "digest": "write it like 'Mon 08:00'",
    "size": "write it like '20 GiB'",
    "alarms": "write it like '0.1/week'",
}

Fault = tuple[Place, str, str]
"""Place of a fault, what is wrong, what to do."""


@dataclass(frozen=True)
class Receiver:
    """One who is told. kind: command, mail, ...; settings: of that kind; severity: the least that is told.

    transitions: those that are told (empty: all); digest: weekday and time of the summary, or "".
    """

    name: str
    kind: str
    settings: Any = field(repr=False)
    severity: str = "warning"
    transitions: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Heartbeat:
    """Where to say that a sweep ran. url: "" for nowhere; url_file and textfile: None for none."""

    url: str = field(default="", repr=False)
    url_file: Path | None = None
    textfile: Path | None = None


@dataclass(frozen=True)
class NamedSweep:
    """A sweep of the configuration, with the defaults filled in and every path absolute."""

    name: str
    settings: Mapping[str, Any]

    def text(self, key: str) -> str:
        """Return a setting as text, "" if it is not there."""
        return str(self.settings.get(key, ""))

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, empty if it is not there."""
        return [str(item) for item in self.settings.get(key, ())]

    def seconds(self, key: str) -> int | None:
        """Return a duration in seconds, None if it is not there."""
        return seconds(self.settings[key]) if key in self.settings else None

    def table(self, key: str) -> Mapping[str, Any]:
        """Return a table, empty if it is not there."""
        value = self.settings.get(key, {})
        return value if isinstance(value, Mapping) else {}

    @property
    def scheduled(self) -> bool:
        """Return whether it says when it runs."""
        return "schedule" in self.settings or "every" in self.settings


@dataclass(frozen=True)
class Config:
    """A configuration in which no fault was found. path: None if there is no file."""

    path: Path | None = None
    sweeps: Mapping[str, NamedSweep] = field(default_factory=dict)
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    heartbeat: Heartbeat = Heartbeat()

    def sweep(self, name: str) -> NamedSweep:
        """Return the sweep of that name. FleetdiagError, with what it may have meant, if there is none."""
        if name in self.sweeps:
            return self.sweeps[name]
        shown = printable(name)[:80]
        if self.path is None:
            raise FleetdiagError(
                f"sweep {shown}: there is no configuration that names it; write {config_file.user_file()},"
                " or name a file with --config"
            )
        near = difflib.get_close_matches(name, self.sweeps, n=1)
        known = ", ".join(self.sweeps) or "none"
        advice = f"did you mean {near[0]}?" if near else f"it has {known}"
        raise FleetdiagError(f"{self.path}: sweeps.{shown}: there is no sweep of that name; {advice}")

    def scheduled(self) -> list[NamedSweep]:
        """Return the sweeps that run by the clock."""
        return [sweep for sweep in self.sweeps.values() if sweep.scheduled]


def seconds(text: str) -> int:
    """Return the seconds of `90`, `30s`, `10min`, `6h`, `7d` or `2w`, which the schema has let through."""
    number, unit = re.fullmatch(r"([0-9]+) *([a-z]*)", text).groups()  # type: ignore[union-attr]
    return int(number) * quantities.SECONDS_OF[unit]


def load(path: Path | None = None) -> Config:
    """Return the configuration. Raises FleetdiagError with file and line for the first fault."""
    file = config_file.read(path)
    found = faults(file)
    if found:
        raise FleetdiagError(found[0])
    return of_checked(file)


def faults(file: config_file.File) -> list[str]:
    """Return every fault as one sentence, in the order of the lines."""
    found = {fault for error in _validator().iter_errors(file.data) for fault in _faults_of(error)}
    found = found or set(_contradictions(file.data))
    ordered = sorted(found, key=lambda fault: (file.line(fault[0]), str(fault)))
    return [f"{file.where(place)}: {what}; {advice}" for place, what, advice in ordered]


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    data: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return data


def kinds() -> list[str]:
    """Return the kinds of receivers: what one has in the schema beside the settings that all have."""
    common = {item.name for item in fields(Receiver)}
    return [name for name in schema()["$defs"]["receiver"]["properties"] if name not in common]


@functools.cache
def _validator() -> Draft202012Validator:
    return json_schema.validator(schema())


# --- faults ---


def _faults_of(error: ValidationError) -> Iterator[Fault]:
    place: Place = tuple(error.absolute_path)
    value: Any = error.instance
    wanted: Any = error.validator_value
    if error.validator == "additionalProperties" and wanted is False:
        part: Any = error.schema
        allowed = list(part["properties"])
        for name in value:
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1)
                yield (
                    (*place, name),
                    "is not known here",
                    f"did you mean {near[0]}?" if near else f"it can be {', '.join(allowed)}",
                )
    elif error.validator == "required":
        for name in wanted:
            if name not in value:
                yield (*place, name), "is missing", "add it"
    else:
        yield _fault(error, place)


def _fault(error: ValidationError, place: Place) -> Fault:
    rule = str(error.validator)
    wanted: Any = error.validator_value
    shown = repr(printable(str(error.instance))[:60])
    names = [str(part) for part in place if isinstance(part, str)]
    if "propertyNames" in error.absolute_schema_path:
        return (*place, str(error.instance)), "is not a possible name", _FORMS["name"]
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return place, f"is not {' or '.join(_TYPES[kind] for kind in kinds)}", "correct it"
    if rule == "enum":
        near = difflib.get_close_matches(str(error.instance), wanted, n=1)
        can = ", ".join(map(str, wanted))
        return place, f"{shown} is not possible", f"did you mean {near[0]}?" if near else f"it can be {can}"
    if rule == "pattern":
        form = _FORMS.get(names[-1] if names else "") or _FORMS.get(_definition(error), _FORMS["duration"])
        return place, f"{shown} is not possible", form
    if rule in ("minimum", "maximum"):
        return (
            place,
            f"{shown} is out of range",
            f"it must be at {'least' if rule == 'minimum' else 'most'} {wanted}",
        )
    if rule in ("minLength", "minItems"):
        return place, "is empty", "fill it in or take it out"
    return place, "is too long", f"at most {wanted} are allowed"


def _definition(error: ValidationError) -> str:
    """Return the name of the schema's definition whose pattern did not fit."""
    found = (name for name, part in schema()["$defs"].items() if part.get("pattern") == error.validator_value)
    return next(found, "")


def _contradictions(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what the form alone cannot tell."""
    receivers = data.get("receivers", {})
    tables: list[tuple[Place, Any]] = [(("defaults",), data.get("defaults", {}))]
    tables += [(("sweeps", name), sweep) for name, sweep in data.get("sweeps", {}).items()]
    for place, sweep in tables:
        if "schedule" in sweep and "every" in sweep:
            yield (*place, "every"), "is there beside schedule", "keep one of them"
        if "every" in sweep:
            yield from _uneven((*place, "every"), sweep["every"])
        yield from _no_windows(place, sweep)
        for name in sweep.get("notify", ()):
            if name not in receivers:
                near = difflib.get_close_matches(name, receivers, n=1)
                advice = f"did you mean {near[0]}?" if near else f"add [receivers.{name}]"
                yield (*place, "notify"), f"{name} is no receiver", advice
    for name in data.get("sweeps", {}):
        merged = _merged(data, name)
        for key in ("inventory", "probes"):
            if key not in merged:
                yield ("sweeps", name, key), "is missing", "add it there or in [defaults]"
        try:
            references.check_name(name)
        except FleetdiagError:
            yield ("sweeps", name), "is a name that runs have", "choose another, nothing like a date"
    for name, receiver in receivers.items():
        yield from _receiver_faults(("receivers", name), receiver)
    heartbeat = data.get("heartbeat", {})
    if "url" in heartbeat and "url_file" in heartbeat:
        yield ("heartbeat", "url_file"), "is there beside url", "keep one of them"


def _no_windows(place: Place, sweep: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield windows that no sweep takes: it would say so only when it is started, at night."""
    for key in ("window", "lead"):
        if key in sweep and not MIN_WINDOW_S <= seconds(sweep[key]) <= MAX_WINDOW_S:
            yield (*place, key), f"{sweep[key]} is out of range", "choose 1s to 24h"


def _uneven(place: Place, every: str) -> Iterator[Fault]:
    length = seconds(every)
    if length < 60 or DAY_S % length:
        yield place, f"{every} does not divide the day evenly", "choose 1min to 12h that does, or 1d"


def _receiver_faults(place: Place, receiver: Mapping[str, Any]) -> Iterator[Fault]:
    given = [kind for kind in kinds() if kind in receiver]
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "says not how"
        yield place, what, f"give it exactly one of {', '.join(kinds())}"
    webhook = receiver.get("webhook")
    if webhook is not None and ("url" in webhook) == ("url_file" in webhook):
        yield (*place, "webhook"), "needs one address", "give it url, or url_file if it is a secret"
    mail = receiver.get("mail")
    if mail is not None and mail.get("via") == "smtp" and "host" not in mail:
        yield (*place, "mail"), "names no SMTP server", "add host"
    if mail is not None and ("user" in mail) != ("password_file" in mail):
        yield (*place, "mail"), "has only one of user and password_file", "give both or none"


# --- values ---


def _merged(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a sweep's settings over the defaults; tables are merged key by key."""
    defaults, own = dict(data.get("defaults", {})), data["sweeps"][name]
    if "schedule" in own or "every" in own:
        defaults.pop("schedule", None)
        defaults.pop("every", None)
    merged = {**defaults, **own}
    for key in ("parameters", "keep", "baseline"):
        if key in defaults and key in own:
            merged[key] = {**defaults[key], **own[key]}
    return merged


def of_checked(file: config_file.File) -> Config:
    """Return the configuration of a file in which no fault was found."""
    data = file.data
    heartbeat = data.get("heartbeat", {})
    return Config(
        path=file.path,
        sweeps={
            name: NamedSweep(name, _resolved(file, _merged(data, name))) for name in data.get("sweeps", {})
        },
        receivers={name: _receiver(file, name, table) for name, table in data.get("receivers", {}).items()},
        heartbeat=Heartbeat(
            url=heartbeat.get("url", ""),
            url_file=file.absolute(heartbeat["url_file"]) if "url_file" in heartbeat else None,
            textfile=file.absolute(heartbeat["textfile"]) if "textfile" in heartbeat else None,
        ),
    )


def _resolved(file: config_file.File, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with every path absolute: a timer stands in another directory than a person."""
    for key in _PATHS:
        if isinstance(settings.get(key), str):
            settings[key] = str(file.absolute(settings[key]))
        elif key in settings:
            settings[key] = [str(file.absolute(name)) for name in settings[key]]
    if "inventory" in settings:
        settings["inventory"] = [
            name if "," in name else str(file.absolute(name)) for name in settings["inventory"]
        ]
    if "probes" in settings:  # a probe may be named by its folder
        settings["probes"] = [
            str(file.absolute(name)) if name.startswith((".", "/", "~")) else name
            for name in settings["probes"]
        ]
    if "extra_vars" in settings:
        settings["extra_vars"] = [
            f"@{file.absolute(text[1:])}" if text.startswith("@") else text for text in settings["extra_vars"]
        ]
    return settings


def _receiver(file: config_file.File, name: str, table: Mapping[str, Any]) -> Receiver:
    kind = next(kind for kind in kinds() if kind in table)
    settings = table[kind]
    if isinstance(settings, dict):
        settings = {
            key: str(file.absolute(value)) if key.endswith("_file") else value
            for key, value in settings.items()
        }
    return Receiver(
        name=name,
        kind=kind,
        settings=settings,
        severity=table.get("severity", "warning"),
        transitions=tuple(table.get("transitions", ())),
        digest=table.get("digest", ""),
    )
