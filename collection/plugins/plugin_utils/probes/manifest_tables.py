# SPDX-License-Identifier: GPL-3.0-or-later
"""What must fit together in the tables of a manifest whose form is right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import pattern
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import MEASURED
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Place, Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.forms import FORMS, Form

NUMERIC = ("int", "float", "bytes", "duration")
MERGES = {
    "sum": NUMERIC,
    "mean": NUMERIC,
    "max": (*NUMERIC, "timestamp"),
    "min": (*NUMERIC, "timestamp"),
    "count": (*NUMERIC, "timestamp", "string", "path", "bool"),
    "last": (*NUMERIC, "timestamp", "string", "path", "bool"),
    "p50": NUMERIC,
    "p95": NUMERIC,
    "p99": NUMERIC,
}
"""How the values of a measure fold, and the column types for which that is possible."""

ADDING = ("sum", "count", "records")
"""The merges whose result grows with what was seen."""

HOST = "host"
"""The report's own first column."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check(data: Mapping[str, Any], settings: Iterable[str], source: Source) -> None:
    """Fail for a contradiction in `tables` and `views`. settings: names of all parameters."""
    tables = data.get("tables", {})
    output = data["output"]
    form = FORMS[output]
    source.try_rule(_check_call_views, data, source)
    if form.tables == 0:
        if tables:
            source.fail(("tables",), f"output {output} has none", "take them out or change output to rows")
        return
    if not tables:
        source.fail(("tables",), f"output {output} needs a table", "declare the columns the script prints")
    if form.tables == 1 and len(tables) > 1:
        source.fail(("tables",), f"output {output} has exactly one table", "keep the one the script prints")
    known = list(settings)
    for name, table in tables.items():
        _Rules(table, output, ("tables", name), source).check(known)


def check_pattern(expression: str, place: Place, source: Source, *, anywhere: bool = False) -> None:
    """Fail unless this is a regular expression that takes no text long. anywhere: it may match within a text."""
    what = pattern.fault(expression, anywhere=anywhere)
    if what:
        source.fail(place, printable(what), "write it simpler, or correct it")


def _check_call_views(data: Mapping[str, Any], source: Source) -> None:
    for number, view in enumerate(data.get("views", ())):
        if not FORMS[data["output"]].calls or view["kind"] != "flame":
            source.fail(("views", number), "only call traces have views here", "put it into a table's views")
        _take_out(view, ("measure", "bucket"), "a flame view has none", ("views", number), source)


def _take_out(data: Mapping[str, Any], names: Iterable[str], what: str, place: Place, source: Source) -> None:
    for name in names:
        if name in data:
            source.fail((*place, name), what, "take it out")


@dataclass(frozen=True)
class _Rules:
    """The rules of one table. place: where it stands in the manifest."""

    table: Mapping[str, Any]
    output: str
    place: Place
    source: Source

    def check(self, settings: list[str]) -> None:
        attempt = self.source.try_rule
        for name, column in self.columns.items():
            attempt(self._column, name, column, (*self.place, "columns", name))
        for name, column in self.derived.items():
            attempt(self._derived, name, column, (*self.place, "derived", name))
        attempt(self._lines, settings)
        for number, check in enumerate(self.table.get("checks", ())):
            attempt(self._check, check, (*self.place, "checks", number))
        for number, view in enumerate(self.table.get("views", ())):
            attempt(self._view, view, (*self.place, "views", number))
        if "events" in self.table:
            attempt(self._events, self.table["events"], settings, (*self.place, "events"))
        if "other_side" in self.table:
            attempt(self._other_side, self.table["other_side"], (*self.place, "other_side"))

    @property
    def form(self) -> Form:
        return FORMS[self.output]

    @property
    def columns(self) -> Mapping[str, Any]:
        columns: Mapping[str, Any] = self.table["columns"]
        return columns

    @property
    def derived(self) -> Mapping[str, Any]:
        derived: Mapping[str, Any] = self.table.get("derived", {})
        return derived

    @property
    def measures(self) -> Mapping[str, Any]:
        """Return printed and derived measures."""
        printed = {name: column for name, column in self.columns.items() if column["role"] == "measure"}
        return {**printed, **self.derived}

    @property
    def figures(self) -> list[str]:
        """Return the measures that are numbers once merged."""
        return [name for name, column in self.measures.items() if _is_figure(column)]

    # --- the table itself

    def _lines(self, settings: list[str]) -> None:
        sort = self.table.get("sort", "").removeprefix("-")
        sortable = [*self.columns, *self.derived]
        if sort and sort not in sortable:
            self._fail("sort", f"there is no column {sort}", f"it can be {', '.join(sortable)}")
        if "ignore" in self.table:
            if not self.form.header:
                self._fail("ignore", f"output {self.output} ignores no lines", "take it out")
            check_pattern(self.table["ignore"], (*self.place, "ignore"), self.source, anywhere=True)
        if "what" in self.table:
            self._what(self.table["what"], settings, (*self.place, "what"))

    def _what(self, what: str, settings: list[str], place: Place) -> None:
        """Fail unless it can stand in the middle of a sentence: `14 {what}; the other 5 hosts: 0.`"""
        if what.endswith((".", ";", "!", "?")):
            said = "is no sentence, it follows a number in one"
            self.source.fail(place, said, f"leave out the {what[-1]} at its end")
        for name in _PLACEHOLDER.findall(what):
            if name not in settings:
                advice = f"it can be {', '.join(settings)}" if settings else "the probe has none"
                self.source.fail(place, f"there is no parameter {name}".rstrip(), advice)
        if re.search(r"[{}]", _PLACEHOLDER.sub("", what)):
            self.source.fail(place, "has a brace without its other half", "write {parameter}")

    def _events(self, events: Mapping[str, Any], settings: list[str], place: Place) -> None:
        counts = [
            name
            for name, column in self.measures.items()
            if column.get("merge") in ("records", "count")
            or (column.get("merge"), column["type"]) == ("sum", "int")
        ]
        if events["count"] not in counts:
            advice = f"it can be {', '.join(counts)}" if counts else "the table has none at all"
            what = f"there is no measure {events['count']} that counts (merge records or count, or sum of an int)"
            self.source.fail((*place, "count"), what, advice)
        if "worst" in events:
            self._figure(events["worst"], (*place, "worst"))
        if "what" not in events and "what" not in self.table:
            self.source.fail(
                (*place, "what"), "nothing says what the events are", "say it in words after a number"
            )
        for name in ("what", "one"):
            if name in events:
                self._what(events[name], settings, (*place, name))

    def _fail(self, name: str, what: str, advice: str) -> None:
        self.source.fail((*self.place, name), what, advice)

    # --- columns

    def _column(self, name: str, column: Mapping[str, Any], place: Place) -> None:
        kind = column["type"]
        if name == HOST:
            self.source.fail(place, "is the report's own first column", "choose another name")
        if not self.form.header:
            _take_out(column, ("header",), f"output {self.output} has no header", place, self.source)
        if column["role"] == "key":
            what, advice = "a key has none", "take it out or make the column a measure"
            for field in ("merge", "rate", "more_is", "compare"):
                if field in column:
                    self.source.fail((*place, field), what, advice)
        else:
            self._measure(column, place)
        measured = MEASURED.get(kind)
        if measured is not None and column.get("unit") not in measured.units:
            what = f"a column of type {kind} needs the unit the script prints"
            self.source.fail((*place, "unit"), what, f"use {', '.join(measured.units)}")
        if kind in ("string", "path", "bool"):
            _take_out(column, ("unit",), f"a {kind} has no unit", place, self.source)

    def _measure(self, column: Mapping[str, Any], place: Place) -> None:
        kind, merge = column["type"], column.get("merge", "")
        if not merge:
            what, advice = "a measure needs it", f"say how values add up: {', '.join(MERGES)}"
            self.source.fail((*place, "merge"), what, advice)
        if kind not in MERGES[merge]:
            possible = [name for name, kinds in MERGES.items() if kind in kinds]
            what = f"{merge} of a {kind} is not possible"
            self.source.fail((*place, "merge"), what, f"use {' or '.join(possible)}")
        if column.get("rate") and merge not in ADDING:
            what = f"{merge} does not grow with time"
            self.source.fail((*place, "rate"), what, "only sum and count have a rate")
        if not _is_figure(column):
            what = f"the {merge} of a {kind} is not a number"
            if column.get("more_is", "neutral") != "neutral":
                self.source.fail((*place, "more_is"), what, "take it out")
            _take_out(column, ("compare",), what, place, self.source)
        self._compare(column, place)

    def _derived(self, name: str, column: Mapping[str, Any], place: Place) -> None:
        if name in self.columns:
            self.source.fail(place, "is a column too", "choose another name")
        if name == HOST:
            self.source.fail(place, "is the report's own first column", "choose another name")
        if ("ratio" in column) == ("merge" in column):
            what = "is both a ratio and merge: records" if "ratio" in column else "says not what it is"
            self.source.fail(place, what, "say ratio: [measure, measure] or merge: records")
        if "ratio" in column:
            self._ratio(column, place)
        elif "largest" in column:
            self.source.fail((*place, "largest"), "only a ratio has it", "take it out")
        elif column["type"] != "int":
            self.source.fail((*place, "type"), "a number of records is an int", "write int")
        if column["type"] in MEASURED:
            shown = MEASURED[column["type"]].shown
            _take_out(column, ("unit",), f"what is not printed is in {shown}", place, self.source)
        self._compare(column, place)

    def _ratio(self, column: Mapping[str, Any], place: Place) -> None:
        parts = column["ratio"]
        numbers = [name for name in self.figures if name in self.columns and self._adds(name)]
        for position, part in enumerate(parts):
            if part not in numbers:
                what = f"there is no printed measure {part} with merge sum or count"
                advice = f"it can be {', '.join(numbers)}" if numbers else "the table has none at all"
                self.source.fail((*place, "ratio", position), what, advice)
        if parts[0] == parts[1]:
            self.source.fail(
                (*place, "ratio", 1), f"{parts[0]} divided by itself is 1", "name another measure"
            )
        over, under = (self._merged_type(part) for part in parts)
        possible = [over] if over in MEASURED and under not in MEASURED else ["float", "int"]
        if column["type"] not in possible:
            what = f"{parts[0]} ({over}) for each of {parts[1]} ({under}) is no {column['type']}"
            self.source.fail((*place, "type"), what, f"write {possible[0]}")
        if column.get("rate"):
            self.source.fail((*place, "rate"), "a ratio does not grow with time", "take it out")
        if "largest" in column:
            self._largest(column["largest"], over, place)

    def _largest(self, name: str, kind: str, place: Place) -> None:
        possible = [
            name
            for name, column in self.columns.items()
            if column.get("merge") == "max" and column["type"] == kind
        ]
        if name not in possible:
            what = f"there is no printed measure {name} with merge max and type {kind}"
            advice = f"it can be {', '.join(possible)}" if possible else "the table has none at all"
            self.source.fail((*place, "largest"), what, advice)

    def _adds(self, name: str) -> bool:
        return self.columns[name].get("merge") in ADDING

    def _merged_type(self, name: str) -> str:
        column = self.columns[name]
        return "int" if column.get("merge") == "count" else str(column["type"])

    # --- what is said of measures

    def _compare(self, column: Mapping[str, Any], place: Place) -> None:
        compare = column.get("compare")
        if compare is None:
            return
        place = (*place, "compare")
        self._scope(compare, place)
        for name in ("min_difference", "min_ratio"):
            self._finite(compare, name, place)
        if compare.get("min_ratio") == 1 and not compare.get("min_difference"):
            what = "with 1 every difference is worth a word"
            self.source.fail((*place, "min_ratio"), what, "say min_difference too, or a larger factor")

    def _check(self, check: Mapping[str, Any], place: Place) -> None:
        self._figure(check["measure"], (*place, "measure"))
        if ("above" in check) == ("below" in check):
            self.source.fail(place, "has not exactly one threshold", "say above or below")
        for name in ("above", "below"):
            self._finite(check, name, place)
        self._scope(check, place)

    def _view(self, view: Mapping[str, Any], place: Place) -> None:
        kind = view["kind"]
        if kind == "flame":
            what = "a table has no call trees"
            self.source.fail((*place, "kind"), what, "use it in views of output calltrace")
        if kind == "table":
            _take_out(view, ("measure",), "a table view shows all measures", place, self.source)
        else:
            self._figure(view.get("measure", ""), (*place, "measure"))
        if kind in ("histogram", "heatmap"):
            self._buckets(view, place)
        else:
            _take_out(view, ("bucket",), f"a {kind} view has no buckets", place, self.source)
        if kind == "series" and not self.table.get("interval"):
            what = "the table has no intervals"
            self.source.fail((*place, "kind"), what, "add interval: true or take it out")

    def _buckets(self, view: Mapping[str, Any], place: Place) -> None:
        kind = view["kind"]
        bucket = self.columns.get(view.get("bucket", ""), {})
        if bucket.get("role") != "key" or bucket.get("type") not in NUMERIC:
            what = f"a {kind} needs the key column of numbers that holds its buckets"
            self.source.fail((*place, "bucket"), what, "name it")
        measure = self.measures[view["measure"]]
        if measure.get("merge") not in ADDING:
            how = measure.get("merge", "ratio")
            what = f"a {kind} counts, and {view['measure']} is a {how}"
            self.source.fail((*place, "measure"), what, "name a measure with merge sum or count")

    def _other_side(self, side: Mapping[str, Any], place: Place) -> None:
        """Fail for what can be seen without the other probe; the rest is seen when both are reported."""
        for pair in ("host", "key"):
            if self.columns.get(side[pair]["here"], {}).get("role") != "key":
                what = f"there is no key column {side[pair]['here']}"
                self.source.fail((*place, pair, "here"), what, "name one")
        here = [part["here"] for part in side["parts"] if "here" in part]
        for name in (side["count"]["here"], *here):
            if self.columns.get(name, {}).get("merge") != "sum":
                self.source.fail(place, f"there is no measure {name} with merge sum", "name one")
        if not 0 < len(here) < len(side["parts"]) or any(
            "there" in part for part in side["parts"][: len(here)]
        ):
            what = "the parts of one side enclose those of the other"
            self.source.fail((*place, "parts"), what, "name first those of this table, then the others")
        self._finite(side, "worth", place)

    def _figure(self, name: str, place: Place) -> None:
        figures = self.figures
        if name in figures:
            return
        what = f"{name} is not a number" if name in self.measures else f"there is no measure {name}".rstrip()
        self.source.fail(place, what, f"it can be {', '.join(figures)}" if figures else "the table has none")

    def _scope(self, data: Mapping[str, Any], place: Place) -> None:
        if data.get("scope") == "key" and not any(col["role"] == "key" for col in self.columns.values()):
            self.source.fail((*place, "scope"), "the table has no key", "say scope: host")

    def _finite(self, data: Mapping[str, Any], name: str, place: Place) -> None:
        if not math.isfinite(data.get(name, 0)):
            self.source.fail((*place, name), f"{data[name]} is no finite number", "correct it")


def _is_figure(column: Mapping[str, Any]) -> bool:
    """Return True if what becomes of the measure is a number that can be compared."""
    return column["type"] in NUMERIC or column.get("merge") == "count"
