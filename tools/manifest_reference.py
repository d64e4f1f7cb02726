#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the reference of the manifest into writing_probes.md, from the schema (--check: only compare)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marked

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest  # noqa: E402

PAGE = ROOT / "collection/docs/writing_probes.md"
PARTS = {
    "parameter": "A parameter",
    "table": "A table",
    "column": "A column",
    "derived": "A derived measure",
    "compare": "`compare`",
    "other_side": "`other_side`",
    "part": "A part",
    "events": "`events`",
    "check": "A check",
    "view": "A view",
}
# Values that only the records of a run have.
NEVER_WRITTEN = {"auto", "words"}


def reference() -> str:
    """Return the tables, one for each mapping of a manifest."""
    schema = manifest.schema()
    parts = {
        "The manifest": schema,
        "`requires`": schema["properties"]["requires"],
        "`limits`": schema["properties"]["limits"],
        **{title: schema["$defs"][name] for name, title in PARTS.items()},
    }
    return "\n".join("\n".join(_part(title, part, schema)) + "\n" for title, part in parts.items())


def _part(title: str, part: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield f"#### {title}"
    yield ""
    yield "| field | value | meaning |"
    yield "| --- | --- | --- |"
    for name, field in part["properties"].items():
        if field.get("$comment") != "internal":
            shown = f"**`{name}`**" if name in part.get("required", ()) else f"`{name}`"
            meaning = field["description"].replace("|", "\\|")
            yield f"| {shown} | {_value(field, schema)} | {meaning} |"


def _value(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what may stand there, in words."""
    reference = field.get("$ref", "").rpartition("/")[2]
    if reference:
        words = {
            "name": "a name",
            "sentence": "a sentence",
            "unit": "a unit",
            "label": "a few words",
            "int64": "a whole number",
            "here_and_there": "`here` and `there`",
        }
        if reference in words:
            return words[reference]
        return _value(schema["$defs"][reference], schema) if reference not in PARTS else _called(reference)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"] if value not in NEVER_WRITTEN)
    kind = field.get("type")
    if kind == "array":
        many = f"{field['minItems']} " if field.get("minItems") == field.get("maxItems") else ""
        return f"a list of {many}{_several(_value(field['items'], schema))}"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"names and for each {_value(inner, schema)}" if isinstance(inner, dict) else "see below"
    if kind in ("integer", "number"):
        return _number(field)
    return {"boolean": "`true` or `false`", "string": "text"}.get(str(kind), "a value")


def _number(field: dict[str, Any]) -> str:
    what = "a whole number" if field["type"] == "integer" else "a number"
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"{what}, at least {low}" if low is not None else what


def _called(name: str) -> str:
    return {
        "parameter": "a parameter",
        "table": "a table",
        "column": "a column",
        "derived": "a derived measure",
        "compare": "see `compare`",
        "events": "see `events`",
        "other_side": "see `other_side`",
        "part": "a part",
        "check": "a check",
        "view": "a view",
    }[name]


def _several(text: str) -> str:
    return f"{text.removeprefix('a ')}s" if text.startswith("a ") else text


if __name__ == "__main__":
    raise SystemExit(marked.write(PAGE, "reference", f"\n{reference()}"))
