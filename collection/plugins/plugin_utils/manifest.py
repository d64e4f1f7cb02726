# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest may say. manifest.schema.json has its form, this module what must fit together in it.

A manifest is read strictly: whatever is not understood, contradicts itself or was left to do is one
sentence, `FILE:LINE: field: what is wrong; what to do`.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import (
    Check,
    Column,
    Compare,
    Limits,
    Parameter,
    Probe,
    Table,
    View,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.cells import (
    BYTES_PER_UNIT,
    UNITS_PER_SECOND,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.yamlfile import Place, Source

_UNFINISHED = re.compile(r"\b(TODO|FIXME|TBD|XXX)\b")
_NUMERIC = ("int", "float", "bytes", "duration")
_MERGES = {
    "sum": _NUMERIC,
    "mean": _NUMERIC,
    "max": (*_NUMERIC, "timestamp"),
    "min": (*_NUMERIC, "timestamp"),
    "count": (*_NUMERIC, "timestamp", "string", "path", "bool"),
    "last": (*_NUMERIC, "timestamp", "string", "path", "bool"),
    "p50": _NUMERIC,
    "p95": _NUMERIC,
    "p99": _NUMERIC,
}
_MISSING = "is missing"
_TYPE_WORDS = {
    "object": "a mapping of names to values",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


@functools.cache
def _validator() -> Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("manifest.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)


def build(name: str, data: dict[str, Any], source: Source, folder: Path | None, script: Path | None) -> Probe:
    """The probe that a manifest declares. Raises FleetdiagError for the first fault, in the words of `source`."""
    _check_schema(data, source)
    _check_texts(data, source)
    _check_tables(data, source)
    requires = data.get("requires", {})
    limits = {limit: int(value) for limit, value in data.get("limits", {}).items()}
    probe = Probe(
        name=name,
        description=data["description"].strip(),
        question=data["question"].strip(),
        output=data["output"],
        cost=data["cost"],
        requires_debuginfo=requires.get("debuginfo", False),
        module_files=tuple(requires.get("module_files", ())),
        limits=Limits(**limits),
        parameters={key: _parameter(key, value, source) for key, value in data.get("parameters", {}).items()},
        tables={key: _table(key, value) for key, value in data.get("tables", {}).items()},
        folder=folder,
        script=script,
        manifest=data,
        title=data.get("title", name),
        topic=data.get("topic", "other"),
        overhead=data.get("overhead", {}),
        views=tuple(View(**view) for view in data.get("views", ())),
    )
    _check_module_files(probe, source)
    return probe


def _check_schema(data: dict[str, Any], source: Source) -> None:
    """The first fault by line; a key that is missing comes last, because it may be one of those misspelt."""

    def order(fault: tuple[Place, str, str]) -> tuple[bool, int, int, str]:
        return fault[1] == _MISSING, source.line(fault[0]), len(fault[0]), str(fault)

    faults = [_fault(error) for error in _validator().iter_errors(data)]
    if faults:
        source.fail(*min(faults, key=order))


def _fault(error: ValidationError) -> tuple[Place, str, str]:
    place: Place = tuple(error.absolute_path)
    rule = error.validator
    wanted: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    shown = printable(str(value))[:60]
    if rule == "additionalProperties":
        allowed = list(schema.get("properties", ()))
        unknown = next(key for key in value if key not in allowed)
        near = difflib.get_close_matches(unknown, allowed, n=1)
        advice = f"did you mean {near[0]}?" if near else f"it can be {', '.join(allowed)}"
        return (*place, unknown), "is not known here", advice
    if rule == "required":
        missing = next(key for key in wanted if key not in value)
        return (*place, missing), _MISSING, "add it"
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return place, f"is not {' or '.join(_TYPE_WORDS[kind] for kind in kinds)}", "correct it"
    if rule == "enum":
        near = difflib.get_close_matches(shown, wanted, n=1)
        advice = f"did you mean {near[0]}?" if near else f"it can be {', '.join(wanted)}"
        return place, f"{shown!r} is not possible", advice
    if rule == "pattern":
        return _pattern_fault(error, place, shown)
    if rule in ("minimum", "maximum"):
        bound = "at least" if rule == "minimum" else "at most"
        return place, f"{shown} is out of range", f"it must be {bound} {wanted}"
    if rule in ("minLength", "minProperties"):
        return place, "is empty", "fill it in"
    return place, "is too long", f"at most {wanted} are allowed"


def _pattern_fault(error: ValidationError, place: Place, shown: str) -> tuple[Place, str, str]:
    is_name = "[a-z][a-z0-9_]" in str(error.validator_value) and place[-1:] != ("sort",)
    if is_name and isinstance(error.instance, str) and "module_files" not in place:
        return (*place, error.instance), "is not a possible name", "use a-z, 0-9 and _, a letter first"
    if place[-1:] in (("description",), ("question",)):
        return place, "is not one line of text", "write one sentence on one line"
    return place, f"{shown!r} is not possible", "see the shipped probes"


def _check_texts(data: dict[str, Any], source: Source) -> None:
    for place, text in _texts(data, ()):
        if _UNFINISHED.search(text):
            source.fail(place, "is not finished", "write what is still to do")
    if not data["question"].strip().endswith("?"):
        source.fail(("question",), "is not a question", "end it with a question mark")


def _texts(data: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _texts(value, (*place, key))
        elif isinstance(value, str) and key in ("description", "question"):
            yield (*place, key), value


def _check_tables(data: dict[str, Any], source: Source) -> None:
    tables = data.get("tables", {})
    output = data["output"]
    for number, view in enumerate(data.get("views", ())):
        if output != "calltrace" or view["kind"] != "flame":
            source.fail(("views", number), "only call traces have views here", "put it into a table's views")
    if output in ("calltrace", "text"):
        if tables:
            source.fail(("tables",), f"output {output} has none", "take them out or change output to rows")
        return
    if not tables:
        source.fail(("tables",), f"output {output} needs a table", "declare the columns the script prints")
    if output == "table" and len(tables) > 1:
        source.fail(("tables",), "output table has exactly one table", "keep the one the script prints")
    for name, table in tables.items():
        _check_table(table, output, ("tables", name), source)


def _check_table(table: dict[str, Any], output: str, place: Place, source: Source) -> None:
    columns = table["columns"]
    sort = table.get("sort", "").removeprefix("-")
    if sort and sort not in columns:
        source.fail((*place, "sort"), f"there is no column {sort}", f"it can be {', '.join(columns)}")
    if "ignore" in table:
        if output != "table":
            source.fail((*place, "ignore"), f"output {output} ignores no lines", "take it out")
        _check_pattern(table["ignore"], (*place, "ignore"), source)
    for name, column in columns.items():
        _check_column(column, output, (*place, "columns", name), source)
    measures = [name for name, column in columns.items() if column["role"] == "measure"]
    for name, column in table.get("derived", {}).items():
        _check_derived(name, column, columns, measures, (*place, "derived", name), source)
    known = [*measures, *table.get("derived", {})]
    for number, check in enumerate(table.get("checks", ())):
        _check_check(check, known, (*place, "checks", number), source)
    for number, view in enumerate(table.get("views", ())):
        _check_view(view, columns, known, table, (*place, "views", number), source)


def _check_derived(
    name: str,
    column: dict[str, Any],
    columns: dict[str, Any],
    measures: list[str],
    place: Place,
    source: Source,
) -> None:
    if name in columns:
        source.fail(place, "is a column too", "choose another name")
    if ("ratio" in column) == ("merge" in column):
        source.fail(
            place, "is neither a ratio nor merge: records", "say ratio: [measure, measure] or merge: records"
        )
    for position, part in enumerate(column.get("ratio", ())):
        if part not in measures or columns[part]["type"] not in _NUMERIC:
            numbers = [measure for measure in measures if columns[measure]["type"] in _NUMERIC]
            source.fail(
                (*place, "ratio", position),
                f"there is no printed measure {part} that is a number",
                f"it can be {', '.join(numbers) or 'none: the table has none'}",
            )


def _check_check(check: dict[str, Any], known: list[str], place: Place, source: Source) -> None:
    _check_measure(check["measure"], known, (*place, "measure"), source)
    if ("above" in check) == ("below" in check):
        source.fail(place, "has not exactly one threshold", "say above or below")


def _check_view(
    view: dict[str, Any],
    columns: dict[str, Any],
    known: list[str],
    table: dict[str, Any],
    place: Place,
    source: Source,
) -> None:
    kind = view["kind"]
    if kind == "flame":
        source.fail((*place, "kind"), "a table has no call trees", "use it in views of output calltrace")
    if kind != "table":
        _check_measure(view.get("measure", ""), known, (*place, "measure"), source)
    if kind in ("histogram", "heatmap"):
        bucket = columns.get(view.get("bucket", ""), {})
        if bucket.get("role") != "key" or bucket.get("type") not in _NUMERIC:
            what = f"a {kind} needs the key column of numbers that holds its buckets"
            source.fail((*place, "bucket"), what, "name it")
    if kind == "series" and not table.get("interval"):
        source.fail((*place, "kind"), "the table has no intervals", "add interval: true or take it out")


def _check_measure(name: str, known: list[str], place: Place, source: Source) -> None:
    if name not in known:
        source.fail(place, f"there is no measure {name}".rstrip(), f"it can be {', '.join(known)}")


def _check_column(column: dict[str, Any], output: str, place: Place, source: Source) -> None:
    kind, merge = column["type"], column.get("merge", "")
    if "header" in column and output != "table":
        source.fail((*place, "header"), f"output {output} has no header", "take it out")
    if column["role"] == "key":
        for name in ("merge", "rate", "more_is", "compare"):
            if name in column:
                source.fail((*place, name), "a key has none", "take it out or make the column a measure")
    elif not merge:
        source.fail((*place, "merge"), "a measure needs it", f"say how values add up: {', '.join(_MERGES)}")
    elif kind not in _MERGES[merge]:
        possible = [name for name, kinds in _MERGES.items() if kind in kinds]
        source.fail((*place, "merge"), f"{merge} of a {kind} is not possible", f"use {' or '.join(possible)}")
    if column.get("rate") and merge not in ("sum", "count"):
        source.fail((*place, "rate"), f"{merge} does not grow with time", "only sum and count have a rate")
    if "compare" in column and kind not in _NUMERIC and merge != "count":
        source.fail((*place, "compare"), f"a {kind} is not a number", "take it out")
    units = {"bytes": BYTES_PER_UNIT, "duration": UNITS_PER_SECOND}.get(kind)
    if units is not None and column.get("unit") not in units:
        what = f"a column of type {kind} needs the unit the script prints"
        source.fail((*place, "unit"), what, f"use {', '.join(units)}")


def _check_pattern(pattern: str, place: Place, source: Source) -> None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        source.fail(place, f"is not a regular expression ({printable(str(error))})", "correct it")


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
    )


def _column(name: str, data: Mapping[str, Any]) -> Column:
    given = {**data, "description": data["description"].strip()}
    if "compare" in given:
        given["compare"] = Compare(**given["compare"])
    if "ratio" in given:
        given["ratio"] = tuple(given["ratio"])
    return Column(name=name, **given)


def _parameter(name: str, data: dict[str, Any], source: Source) -> Parameter:
    place: Place = ("parameters", name)
    kind = data["type"]
    if name.startswith("fd_"):
        source.fail(place, "names that begin with fd_ are fleetdiag's own", "choose another name")
    if name == parameters.INTERVAL.name and (kind != "int" or data.get("when", "load") != "load"):
        source.fail(place, "is an int that is set at load in every probe", "declare it so or leave it out")
    for key in ("min", "max"):
        if key in data and kind != "int":
            source.fail((*place, key), f"a parameter of type {kind} has no range", "take it out")
    if "pattern" in data:
        if kind != "string":
            source.fail((*place, "pattern"), f"a parameter of type {kind} has no pattern", "take it out")
        _check_pattern(data["pattern"], (*place, "pattern"), source)
    parameter = Parameter(
        name=name,
        type=kind,
        default=data["default"],
        description=data["description"].strip(),
        min=data.get("min"),
        max=data.get("max"),
        pattern=data.get("pattern", ""),
        unit=data.get("unit", ""),
        when=data.get("when", "load"),
    )
    if parameter.min is not None and parameter.max is not None and parameter.min > parameter.max:
        source.fail((*place, "min"), f"{parameter.min} is above max {parameter.max}", "exchange them")
    _check_default(parameter, (*place, "default"), source)
    return parameter


def _check_default(parameter: Parameter, place: Place, source: Source) -> None:
    kinds: dict[str, type] = {"int": int, "bool": bool, "string": str}
    if type(parameter.default) is not kinds[parameter.type]:
        source.fail(place, f"is not of type {parameter.type}", "make type and default agree")
    try:
        parameters.coerce(parameter, parameter.default, "default")
    except FleetdiagError as error:
        what, _, advice = str(error).removeprefix("default: ").rpartition("; ")
        source.fail(place, what, advice)


def _check_module_files(probe: Probe, source: Source) -> None:
    for position, name in enumerate(probe.module_files):
        parameter = probe.parameters.get(name.strip("{}"))
        if name.startswith("{") and (parameter is None or parameter.when != "compile"):
            source.fail(
                ("requires", "module_files", position),
                f"{name} is not a parameter with when: compile",
                "name one, or write the kernel module's name without braces",
            )
