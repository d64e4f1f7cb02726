# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import reportdata
import rundirs

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_json
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())


def document(report: model.Report) -> Any:
    """The document as it is read back, checked against the schema."""
    text = as_json.render(report)
    assert text.isascii()
    data = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == model.SCHEMA


def test_hostile_texts_are_data(tmp_path: Path) -> None:
    text = as_json.render(reportdata.hostile(tmp_path))
    assert text.isascii()
    assert text.endswith("\n")
    assert "\x1b" not in text
    data = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert {host["host"] for host in data["coverage"]} == {
        *rundirs.HOSTILE,
        "web1",
        "\ud800",
        "../../../evilhost",
    }
    table = data["probes"][0]["tables"][0]
    assert {row["key"][0] for row in table["rows"]} == set(rundirs.HOSTILE)


def test_findings_comparisons_and_peers(tmp_path: Path) -> None:
    data = document(reportdata.found(reportdata.sweep(tmp_path)))
    first = data["findings"][0]
    assert (first["severity"], first["host"], first["value"]) == ("critical", "web3", 14)
    assert first["sentence"] == reportdata.SENTENCE
    assert first["rows"] == [
        {
            "host": "web3",
            "key": ["httpd", "/var/www/html/lectura_lenta.html"],
            "values": [8.471285, 14],
        }
    ]
    (compared,) = data["comparisons"]
    assert list(compared["values"].items()) == [("web1", 0), ("web2", 0), ("web3", 14)]
    assert data["peers"] == {"web1": "web", "web2": "web", "web3": "web"}


def test_columns_stand_in_the_order_declared_and_derived_ones_last(tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    manifest["tables"]["slow_files"]["derived"] = {
        "files": {"type": "int", "merge": "records", "description": "How many.", "compare": {"scope": "host"}}
    }
    manifest["tables"]["slow_files"]["views"] = [{"kind": "table"}]
    manifest["tables"]["slow_files"]["checks"] = [{"measure": "seconds", "above": 5, "severity": "warning"}]
    manifests = {**rundirs.MANIFESTS, "slow_open": manifest}
    made = rundirs.Builder(tmp_path, ["web1"], manifests=manifests)
    made.window()
    made.whole("web1", {"slow_open": made.out(rundirs.record("slow_files", 9, "p", "/x", 2_000_000, 3))})
    (probe,) = document(reports.build(made.path))["probes"]
    assert probe["title"] == "slow_open"
    (table,) = probe["tables"]
    names = ["process", "path", "seconds", "opens", "files"]
    assert [column["name"] for column in table["columns"]] == names
    assert [column["derived"] for column in table["columns"]] == [False] * 4 + [True]
    assert table["rows"][0]["values"] == [2.0, 3, 1]
    assert table["checks"][0]["above"] == 5
    assert table["views"] == [{"kind": "table", "measure": "", "bucket": ""}]
