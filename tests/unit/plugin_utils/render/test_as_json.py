# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import rundirs

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import report as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_json

SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == reports.SCHEMA


def test_hostile_texts_are_data(tmp_path: Path) -> None:
    text = as_json.render(reports.build(rundirs.hostile(tmp_path).path, generated="now"))
    assert text.isascii()
    assert text.endswith("\n")
    assert "\x1b" not in text
    data = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert [host["host"] for host in data["coverage"]] == [
        *rundirs.HOSTILE,
        "web1",
        "\ud800",
        "../../../evilhost",
    ]
    table = data["probes"][0]["tables"][0]
    assert {row["key"][0] for row in table["rows"]} == set(rundirs.HOSTILE)


def test_columns_stand_in_the_order_declared(tmp_path: Path) -> None:
    made = rundirs.Builder(tmp_path, ["web1"])
    (probe,) = as_json.document(reports.build(made.path))["probes"]
    assert [column["name"] for column in probe["tables"][0]["columns"]] == [
        "process",
        "path",
        "seconds",
        "opens",
    ]
