# SPDX-License-Identifier: GPL-3.0-or-later
"""Run directories of scripts whose output has no declared form: one form for all hosts, in every format of a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rundirs import START, Builder, output

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build

EXAMPLE: dict[str, Any] = {
    "title": "example:io/iotop",
    "description": "An example.",
    "question": "What does it show?",
    "output": "auto",
    "cost": "medium",
    "unmodified": True,
    "exits": True,
    "origin": "systemtap-doc, io/iotop.stp",
}
HEAD = "Process\tKB Read\tKB Written\n"
FIRST = HEAD + "httpd\t10\t2\nsshd\t1\t0\n\n"
START_MS = round(START * 1000)


def run(folder: Path, printed: dict[str, str], **more: Any) -> Path:
    """A run directory in which each host printed this inside the window."""
    hosts = list(printed)
    made = Builder(folder, hosts, ["ex_io_iotop"], manifests={"ex_io_iotop": EXAMPLE}, **more)
    made.build()
    made.window()
    for host, text in printed.items():
        made.preflight(host)
        made.arm(host)
        made.go(host)
        session = output([], start_ms=START_MS, end_ms=START_MS + 30_000, payload=text)
        made.collect(host, {"ex_io_iotop": session})
    return made.path


def test_all_hosts_have_the_same_form(tmp_path: Path) -> None:
    path = run(
        tmp_path,
        {"a": "", "b": "Collecting...\n", "c": FIRST.replace("10", "20"), "d": FIRST + "something else\n"},
    )
    made = build.build(path)
    (probe,) = made.probes
    assert (probe.title, probe.output, probe.origin) == ("example:io/iotop", "table", EXAMPLE["origin"])
    (table,) = probe.tables
    assert {row.host: row.values for row in table.rows() if row.key == ("httpd",)} == {
        "c": (20480, 2048),
        "d": (10240, 2048),
    }
    assert {text.host: text.lines for text in probe.texts} == {
        "b": ["Collecting..."],
        "d": ["something else"],
    }
    assert [row.status for row in made.coverage] == ["probed"] * 4


def test_the_same_directories_give_the_same_form(tmp_path: Path) -> None:
    left = run(tmp_path / "1", {"b": "Collecting...\n"}, sweep_id="20261123_080000_aaaa")
    right = run(tmp_path / "2", {"a": FIRST}, sweep_id="20261123_090000_bbbb")
    both = [build.build([left, right], generated="x"), build.build([right, left], generated="x")]
    assert both[0] == both[1]
    assert both[0].probes[0].output == "table"
    assert build.build(left).probes[0].output == "text"


@pytest.mark.parametrize(
    "text",
    [
        FIRST,
        "only text\n",
        '{"process": "httpd", "bytes": 5, "hostile": "\\u001b[2J<script>"}\n',
        "latency (us):\nvalue |---- count\n    1 |@@@   3\n    2 |@@    2\n",
        "     0 ls(77):->vfs_read\n     9 ls(77):<-vfs_read\n",
        'calls["nginx"]=0x5\nrows under no header 1\n',
        "",
    ],
    ids=["table", "text", "json", "histogram", "trace", "variable", "nothing"],
)
def test_every_format_shows_it(tmp_path: Path, text: str) -> None:
    path = run(tmp_path, {"a": text, "b": ""})
    made = build.build(path)
    registry.write(made, path, list(registry.formats().values()))
    said = json.loads((path / "report.json").read_text())
    schema = json.loads((Path(build.__file__).with_name("report.schema.json")).read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(said)] == []
    assert "example:io/iotop" in (path / "report.txt").read_text()
    assert build.build(path, generated="x") == build.build(path, generated="x")
