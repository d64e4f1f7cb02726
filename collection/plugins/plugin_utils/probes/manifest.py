# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest may say. manifest.schema.json has its form, this module what must fit together in it.

A manifest is read strictly: whatever is not understood, contradicts itself or was left to do is one
sentence, `FILE:LINE: field: what is wrong; what to do`.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import json_schema, phrases
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import MEASURED
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Place, Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    forms,
    manifest_tables,
    parameters,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Check,
    Column,
    Compare,
    Events,
    Limits,
    OtherSide,
    Parameter,
    Part,
    Probe,
    Table,
    View,
)

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_UNFINISHED = re.compile(r"\b(TODO|FIXME|TBD|XXX)\b")
_SENTENCES = ("description", "question", "title", "what", "label")
_LANGUAGE = (
    "break catch continue delete else exit for foreach function global if in limit long next private probe"
    " return string try while"
)
"""Words of SystemTap's own: a parameter that is set at load is a variable of the script."""
_NAME_ADVICE = "use a-z, 0-9 and _, a letter first, at most 40 of them"
INTERNAL = ("title", "unmodified", "exits", "origin")
"""Fields that only fleetdiag itself writes, for scripts that have no folder (see `scripts`)."""

_MISSING = "is missing"
_TYPE_WORDS = {
    "object": "a mapping of names to values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


@functools.cache
def _validator() -> Draft202012Validator:
    return json_schema.validator(schema())


def schema() -> dict[str, Any]:
    """Return the JSON schema of manifests, with the output forms and the units that are registered."""
    text = Path(__file__).with_name("manifest.schema.json").read_text(encoding="utf-8")
    known: dict[str, Any] = json.loads(text, object_hook=_filled)
    known["properties"]["output"]["enum"] = list(forms.FORMS)
    return known


def _filled(mapping: dict[str, Any]) -> dict[str, Any]:
    """Fill what is registered into the description of a field: `{forms}`, `{bytes}`, `{duration}`."""
    description = mapping.get("description")
    if isinstance(description, str):
        said = {name: phrases.either(kind.units) for name, kind in MEASURED.items()}
        said["forms"] = "; ".join(f"`{name}` {form.about}" for name, form in forms.declared().items())
        for name, words in said.items():
            description = description.replace(f"{{{name}}}", words)
        mapping["description"] = description
    return mapping


def build(name: str, data: dict[str, Any], source: Source, folder: Path | None, script: Path | None) -> Probe:
    """Return the probe that a manifest declares. Raises FleetdiagError for the first fault, in the words of `source`."""
    check(data, source)
    return of_checked(name, data, folder, script)


def of_checked(name: str, data: dict[str, Any], folder: Path | None, script: Path | None) -> Probe:
    """Return the probe of a manifest in which no fault was found."""
    requires = data.get("requires", {})
    limits = {limit: int(value) for limit, value in data.get("limits", {}).items()}
    return Probe(
        name=name,
        description=data["description"].strip(),
        question=data["question"].strip(),
        output=data["output"],
        cost=data["cost"],
        requires_debuginfo=requires.get("debuginfo", False),
        module_files=tuple(requires.get("module_files", ())),
        limits=Limits(**limits),
        parameters={key: _parameter(key, value) for key, value in data.get("parameters", {}).items()},
        tables={key: _table(key, value) for key, value in data.get("tables", {}).items()},
        folder=folder,
        script=script,
        manifest=data,
        title=data.get("title", name),
        topic=data.get("topic", "other"),
        overhead=data.get("overhead", {}),
        views=tuple(View(**view) for view in data.get("views", ())),
        unmodified=data.get("unmodified", False),
        exits=data.get("exits", False),
        origin=data.get("origin", ""),
        flags=tuple(data.get("flags", ())),
        target=data.get("target", ""),
        reading=data.get("reading", {}),
    )


def check(data: dict[str, Any], source: Source) -> None:
    """Fail for the first fault; or, if the source keeps faults, find all that can be seen at once."""
    for fault in _schema_faults(data, source):
        source.try_rule(source.fail, *fault)
    if source.faults:
        return  # what has the wrong form cannot be looked into
    for place, text in _texts(data, ()):
        source.try_rule(_check_text, place, text, source)
    for name, parameter in data.get("parameters", {}).items():
        source.try_rule(_check_parameter, name, parameter, source)
    for position, name in enumerate(data.get("requires", {}).get("module_files", ())):
        source.try_rule(_check_module_file, name, position, data, source)
    source.try_rule(_check_overhead, data, source)
    source.try_rule(_check_internal, data, source)
    settings = dict.fromkeys([*data.get("parameters", {}), *_implicit(data)])
    source.try_rule(manifest_tables.check, data, settings, source)


def _schema_faults(data: dict[str, Any], source: Source) -> list[tuple[Place, str, str]]:
    """Return faults by line; a key that is missing comes last, because it may be one of those misspelt."""

    def order(fault: tuple[Place, str, str]) -> tuple[bool, int, int, str]:
        return fault[1] == _MISSING, source.line(fault[0]), len(fault[0]), str(fault)

    faults = {fault for error in _validator().iter_errors(data) for fault in _faults_of(error)}
    return sorted(faults, key=order)


def _faults_of(error: ValidationError) -> list[tuple[Place, str, str]]:
    place: Place = tuple(error.absolute_path)
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "required":
        return [((*place, name), _MISSING, "add it") for name in wanted if name not in value]
    if error.validator != "additionalProperties":
        return [_fault(error)]
    allowed = [name for name in schema.get("properties", ()) if name not in INTERNAL]
    faults = []
    for unknown in value:
        if unknown not in schema.get("properties", ()):
            near = difflib.get_close_matches(unknown, allowed, n=1)
            advice = f"did you mean {near[0]}?" if near else f"it can be {', '.join(allowed)}"
            faults.append(((*place, unknown), "is not known here", advice))
    return faults


def _fault(error: ValidationError) -> tuple[Place, str, str]:
    place: Place = tuple(error.absolute_path)
    rule = error.validator
    wanted: Any = error.validator_value
    value: Any = error.instance
    shown = printable(str(value))[:60]
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return place, f"is not {' or '.join(_TYPE_WORDS[kind] for kind in kinds)}", "correct it"
    if rule == "enum":
        near = difflib.get_close_matches(shown, wanted, n=1)
        advice = f"did you mean {near[0]}?" if near else f"it can be {', '.join(wanted)}"
        return place, f"{shown!r} is not possible", advice
    if rule == "pattern":
        return _pattern_fault(error, place)
    if rule in ("minimum", "maximum"):
        bound = "at least" if rule == "minimum" else "at most"
        return place, f"{shown} is out of range", f"it must be {bound} {wanted}"
    if rule in ("minLength", "minProperties") or (rule == "minItems" and wanted == 1):
        return place, "is empty", "fill it in"
    if rule == "minItems":
        return place, f"has {len(value)} of {wanted} entries", "add the others"
    return place, "is too long", f"at most {wanted} are allowed"


def _pattern_fault(error: ValidationError, place: Place) -> tuple[Place, str, str]:
    value = str(error.instance)
    if "propertyNames" in error.absolute_schema_path:
        return (*place, value), "is not a possible name", _NAME_ADVICE
    if place[-1] in _SENTENCES:
        return place, "is not one line of text", "write it on one line, without blanks around it"
    advice = {"unit": "use letters, digits, % and /", "module_files": "name a kernel module, or {parameter}"}
    names = [part for part in place if isinstance(part, str)]
    return place, f"{printable(value)[:60]!r} is not possible", advice.get(names[-1], _NAME_ADVICE)


def _check_text(place: Place, text: str, source: Source) -> None:
    if _UNFINISHED.search(text):
        source.fail(place, "is not finished", "write what is still to do")
    if place == ("question",) and not text.strip().endswith("?"):
        source.fail(place, "is not a question", "end it with a question mark")


def _texts(data: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _texts(value, (*place, key))
        elif isinstance(value, str) and key in _SENTENCES:
            yield (*place, key), value


def _check_overhead(data: dict[str, Any], source: Source) -> None:
    for name, value in data.get("overhead", {}).items():
        if isinstance(value, float) and not math.isfinite(value):
            source.fail(("overhead", name), "is no finite number", "measure again")


def _check_internal(data: dict[str, Any], source: Source) -> None:
    """Fail for what only scripts without a manifest say, in the records of a run."""
    if not source.lines:
        return
    advice = "take it out: it is for scripts that are run without a manifest"
    for name in INTERNAL:
        if name in data:
            source.fail((name,), "is nothing that a probe's folder says", advice)
    if data["output"] not in forms.declared():
        what = f"{data['output']} is no form of output"
        source.fail(("output",), what, f"say {phrases.either(forms.declared())}")
    for name, parameter in data.get("parameters", {}).items():
        if parameter["type"] == "words":
            source.fail(("parameters", name, "type"), "words is no type of a probe's parameter", "say string")


def _implicit(data: Mapping[str, Any]) -> list[str]:
    """Return the parameters that a probe has without declaring them."""
    intervals = any(table.get("interval") for table in data.get("tables", {}).values())
    return [parameters.INTERVAL.name] if intervals else []


def _table(name: str, data: dict[str, Any]) -> Table:
    sort = data.get("sort", "")
    return Table(
        name=name,
        description=data["description"].strip(),
        columns=tuple(_column(key, value) for key, value in data["columns"].items()),
        interval=data.get("interval", False),
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        ignore=data.get("ignore", ""),
        derived=tuple(
            _column(key, {**value, "role": "measure"}) for key, value in data.get("derived", {}).items()
        ),
        what=data.get("what", ""),
        checks=tuple(Check(**check) for check in data.get("checks", ())),
        views=tuple(View(**view) for view in data.get("views", ())),
        other_side=_other_side(data["other_side"]) if "other_side" in data else None,
        events=_events(data["events"], data.get("what", "")) if "events" in data else None,
    )


def _events(data: Mapping[str, Any], what: str) -> Events:
    """Return the table's events; their names are those of its records unless the manifest says others."""
    many = data.get("what", what)
    return Events(data["count"], data.get("worst", ""), many, data.get("one", many))


def _other_side(data: Mapping[str, Any]) -> OtherSide:
    probe, _unused, table = data["table"].partition(".")
    pairs = {name: (data[name]["here"], data[name]["there"]) for name in ("host", "key", "count")}
    parts = tuple(Part(**part) for part in data["parts"])
    return OtherSide(probe, table, parts=parts, worth=data["worth"], names=data.get("names", ""), **pairs)


def _column(name: str, data: Mapping[str, Any]) -> Column:
    given = {**data, "description": data["description"].strip()}
    if "compare" in given:
        given["compare"] = Compare(**given["compare"])
    if "ratio" in given:
        given["ratio"] = tuple(given["ratio"])
    return Column(name=name, **given)


def _parameter(name: str, data: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        type=data["type"],
        default=data["default"],
        description=data["description"].strip(),
        min=_whole(data.get("min")),
        max=_whole(data.get("max")),
        pattern=data.get("pattern", ""),
        unit=data.get("unit", ""),
        when=data.get("when", "load"),
    )


def _whole(value: float | None) -> int | None:
    """Return 1.0 as a whole number, as a schema has it."""
    return None if value is None else int(value)


def _check_parameter(name: str, data: Mapping[str, Any], source: Source) -> None:
    place: Place = ("parameters", name)
    kind = data["type"]
    loaded = data.get("when", "load") == "load"
    if name.startswith("fd_"):
        source.fail(place, "names that begin with fd_ are fleetdiag's own", "choose another name")
    if name == parameters.INTERVAL.name and (kind != "int" or not loaded):
        source.fail(place, "is an int that is set at load in every probe", "declare it so or leave it out")
    if name in _LANGUAGE.split() and loaded:
        source.fail(place, "is a word of SystemTap's language", "choose another name")
    if kind == "words" and loaded:
        source.fail(place, "words are arguments of a script", "say when: compile")
    for key in ("min", "max"):
        if key in data and kind != "int" and (kind, key) != ("words", "min"):
            source.fail((*place, key), f"a parameter of type {kind} has no range", "take it out")
    if "pattern" in data:
        if kind != "string":
            source.fail((*place, "pattern"), f"a parameter of type {kind} has no pattern", "take it out")
        manifest_tables.check_pattern(data["pattern"], (*place, "pattern"), source)
    parameter = _parameter(name, data)
    if parameter.min is not None and parameter.max is not None and parameter.min > parameter.max:
        source.fail((*place, "min"), f"{parameter.min} is above max {parameter.max}", "exchange them")
    _check_default(parameter, (*place, "default"), source)


def _check_default(parameter: Parameter, place: Place, source: Source) -> None:
    kinds: dict[str, type] = {"int": int, "bool": bool, "string": str, "words": str}
    is_flag = isinstance(parameter.default, bool)  # which Python takes for a number too
    if not isinstance(parameter.default, kinds[parameter.type]) or is_flag != (parameter.type == "bool"):
        source.fail(place, f"is not of type {parameter.type}", "make type and default agree")
    if parameter.type == "words" and not parameter.default:
        return  # they have to be given
    try:
        parameters.coerce(parameter, parameter.default, "default")
    except FleetdiagError as error:
        what, _unused, advice = str(error).removeprefix("default: ").rpartition("; ")
        source.fail(place, what, advice)


def _check_module_file(name: str, position: int, data: Mapping[str, Any], source: Source) -> None:
    parameter = data.get("parameters", {}).get(name.strip("{}"), {})
    if name.startswith("{") and parameter.get("when") != "compile":
        what = f"{name} is not a parameter with when: compile"
        advice = "name one, or write the kernel module's name without braces"
        source.fail(("requires", "module_files", position), what, advice)
