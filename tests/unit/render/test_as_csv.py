# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import reportdata
import rundirs
from hypothesis import given
from hypothesis import strategies as st
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_csv
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

TRIGGERS = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001


def files(report: model.Report) -> dict[str, list[dict[str, str]]]:
    return {name: list(csv.DictReader(io.StringIO(text))) for name, text in as_csv.render(report)}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("a=1", "a=1"),
        ("x;=1+1", "x;'=1+1"),
        ("x; +1;y;\t@1", "x;' +1;y;'\\x09@1"),
        ('x;"=1', "x;'\"=1"),
        ("x;y", "x;y"),
        ("日本", "日本"),
        ("a\nb", "a\\x0ab"),
        (-5, -5),
        (-1.5, -1.5),
        (True, 1),
        (None, ""),
    ],
)
def test_no_cell_begins_a_formula(value: object, shown: object) -> None:
    assert as_csv.cell(value) == shown  # type: ignore[arg-type]


@given(st.text(max_size=30))
def test_any_text_is_one_cell(text: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(as_csv._text([[text]]))) if text else ((as_csv.cell(text),),)
    assert cell.replace("'", "") == printable(text).replace("'", "")
    assert not [part for part in str(cell).split(";") if part.lstrip(" ").startswith(TRIGGERS)]


def test_nothing_hostile_is_a_formula_or_a_row(tmp_path: Path) -> None:
    report = reportdata.hostile(tmp_path)
    for name, text in as_csv.render(report):
        lines = list(csv.reader(io.StringIO(text)))
        assert len({len(line) for line in lines}) == 1, name
        assert len(text.splitlines()) == len(lines), "a name in a cell breaks no line"
        texts = [cell for line in lines for cell in line if not cell.lstrip("-").replace(".", "").isdigit()]
        assert not [cell for cell in texts if cell.startswith(TRIGGERS)]
    found = files(report)
    shown = {row["process"].removeprefix("'") for row in found["csv/slow_open.slow_files.csv"]}
    assert shown == {printable(text) for text in rundirs.HOSTILE}
    assert len(found["csv/coverage.csv"]) == len(report.coverage)
    assert len(found["csv/findings.csv"]) == len(rundirs.HOSTILE)


def test_rows_with_units_rates_and_losses(tmp_path: Path) -> None:
    found = files(reportdata.found(reportdata.sweep(tmp_path)))
    assert found["csv/slow_open.slow_files.csv"] == [
        {
            "host": "web3",
            "line": "row",
            "process": "httpd",
            "path": "/var/www/html/lectura_lenta.html",
            "seconds (s)": "8.471285",
            "opens": "14",
            "records": "1",
            "losses": "late 3.2 s",
        }
    ]
    traffic = found["csv/nettop.traffic.csv"]
    assert [row["host"] for row in traffic] == ["web3", "web2", "web1"]
    assert (traffic[0]["sent (B)"], traffic[0]["sent per second"]) == ("54000", "1800.0")
    assert found["csv/findings.csv"][0]["sentence"] == reportdata.SENTENCE
    assert found["csv/coverage.csv"][2]["status"] == "degraded"


def test_totals_interval_by_interval(tmp_path: Path) -> None:
    found = files(reportdata.found(reportdata.sweep(tmp_path)))
    rows = [row for row in found["csv/nettop.traffic.intervals.csv"] if row["host"] == "web1"]
    assert [(row["interval"], row["from_s"], row["to_s"], row["packets"]) for row in rows] == [
        (str(n), str((n - 1) * 5), str(n * 5), str(n * 10)) for n in range(1, 7)
    ]


def test_what_has_no_row_of_its_own_is_one_line(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.window()
    rows = [record("slow_files", 9, f"p{n}", "/x", 2_000_000 + n, 3) for n in range(30)]
    made.whole("web1", {"slow_open": made.out(*rows)})
    found = files(reports.build(made.path, max_rows=10))["csv/slow_open.slow_files.csv"]
    assert [row["line"] for row in found] == ["row"] * 10 + ["other"]
    assert sum(int(row["opens"]) for row in found) == 90
    assert (found[-1]["process"], found[-1]["records"]) == ("", "20")
