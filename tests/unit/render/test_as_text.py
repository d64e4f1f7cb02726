# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import reportdata
import rundirs
from hypothesis import given
from hypothesis import strategies as st
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import grids
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.values import Cell, Head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

FORBIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def shown(made: Builder) -> str:
    return as_text.render(reports.build(made.path, generated="now"))


def after(text: str, heading: str) -> list[str]:
    """The lines below a heading, up to the next one."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(heading)) + 1
    headings = [n for n, line in enumerate(lines) if line.endswith("──") and line[0] != "─"]
    end = next((n for n in headings if n >= start), len(lines))
    return lines[start:end]


def test_nothing_hostile_reaches_the_terminal(tmp_path: Path) -> None:
    text = as_text.render(reportdata.hostile(tmp_path))
    assert not FORBIDDEN.search(text)
    text.encode()
    for safe in (
        "\\x1b]0;pwn\\x07",
        "\\x1b[2J",
        "a\\x0dok: [h1]",
        "\\x9b31m",
        "\\u202egnp.exe",
        "日本",
        "{{ 7 * 7 }}",
    ):
        assert safe in text
    assert "[bold red]x[/]" in text


def test_every_line_fits_eighty_columns(tmp_path: Path) -> None:
    text = as_text.render(reportdata.hostile(tmp_path))
    assert [line for line in text.splitlines() if as_text.width(line) > 80] == []


def test_the_order_and_every_host_once(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "old1"])
    made.window()
    made.whole("web1", {"slow_open": made.out(record("slow_files", 9, "httpd", "/x", 8471285, 1))})
    made.preflight(
        "old1", verdict="refused", reason="staprun 4.8 is too old", remedy="install 5.6", kernel="6.1"
    )
    text = shown(made)
    assert text.startswith("fleetdiag: ")
    assert text.splitlines()[0].endswith("1 of 2 hosts probed, 1 refused")
    places = [text.index(word) for word in ("FINDINGS", "COVERAGE", "PROBE slow_open", "CONDITIONS")]
    assert places == sorted(places)
    coverage = after(text, "COVERAGE")
    assert [line.split()[0] for line in coverage if line and not line.startswith(" ")] == [
        "host",
        "old1",
        "web1",
    ]
    assert "      staprun 4.8 is too old" in coverage
    assert "      -> install 5.6" in coverage


def test_hosts_are_covered_also_where_nothing_is_known_of_any(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.event("web1", "preflight", "unreachable", "No route to host")
    lines = after(shown(made), "COVERAGE")
    assert [line.split()[:2] for line in lines if line.startswith("web1")] == [["web1", "unreachable"]]
    assert "      unreachable at preflight: No route to host" in lines


def test_a_probe_that_ran_nowhere_is_not_called_quiet(tmp_path: Path) -> None:
    text = shown(Builder(tmp_path, ["web1"]))
    assert "no host sampled it, so nothing is known" in text
    assert "nothing of the kind was seen" not in text


def test_rows_totals_and_losses(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    made.whole(
        "web1", {"slow_open": made.out(record("slow_files", 9, "httpd", "/var/www/lenta.html", 8471285, 1))}
    )
    late = made.out(record("slow_files", 9, "cron", "/x", 1500000, 2), late_s=3.2)
    made.whole("web2", {"slow_open": late})
    lines = after(shown(made), "PROBE slow_open")
    table = lines[lines.index("Files open longer than the threshold, by host:") :]
    assert table[1].split() == ["host", "process", "path", "seconds", "opens"]
    assert table[2].split() == ["web1", "httpd", "/var/www/lenta.html", "8.47", "s", "1"]
    assert table[3].split() == ["web2", "*", "cron", "/x", "1.5", "s", "2"]
    assert table[5].split() == ["total:", "2", "hosts", "*", "8.47", "s", "3"]
    assert "  * web2: late 3.2 s" in table


def test_what_is_not_shown_is_summed_up(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    many = [record("slow_files", 9, f"p{n}", "/x", 1_500_000 + n, 1) for n in range(30)]
    made.whole("web1", {"slow_open": made.out(*many)})
    made.whole("web2", {"slow_open": made.out(*many[:5])})
    lines = after(shown(made), "PROBE slow_open")
    table = lines[lines.index("Files open longer than the threshold, by host:") :]
    (other,) = (line for line in table[:30] if line.startswith("other"))
    assert other.split() == ["other:", "15", "rows", "of", "2", "hosts", "1.5", "s", "15"]
    (total,) = (line for line in table if line.startswith("total"))
    assert total.split() == ["total:", "2", "hosts", "1.5", "s", "35"]
    hosts = lines[lines.index("Totals per host:") :]
    assert [line.split()[-4:] for line in hosts if line.startswith("web")] == [
        ["30", "10", "1.5", "s"],
        ["5", "5", "1.5", "s"],
    ]


def test_rows_that_only_a_process_number_tells_apart_become_one(tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    columns = manifest["tables"]["slow_files"]["columns"]
    pid = {"pid": {"type": "int", "role": "key", "description": "The process."}}
    manifest["tables"]["slow_files"]["columns"] = {**pid, **columns}
    made = Builder(tmp_path, ["web1"], manifests={**rundirs.MANIFESTS, "slow_open": manifest})
    made.window()

    def lines(count: int) -> list[str]:
        rows = [record("slow_files", 9, n, "ls", "/x", 1_000_000 + n, 2) for n in range(count)]
        made.whole("web1", {"slow_open": made.out(*rows)})
        return after(shown(made), "PROBE slow_open")

    few = lines(20)
    assert len([line for line in few if line.startswith("web1")]) == 20
    many = lines(21)
    assert [line.split() for line in many if line.startswith("web1")] == [
        ["web1", "ls", "/x", "1", "s", "42"]
    ]
    assert "  rows alike but for pid are one row here; report.json has them apart" in many


def test_findings_come_first_with_their_proof(tmp_path: Path) -> None:
    text = as_text.render(reportdata.found(reportdata.sweep(tmp_path)))
    lines = after(text, "FINDINGS")
    assert " ".join(line.strip() for line in lines[:2]) == "CRITICAL  " + reportdata.SENTENCE
    assert lines[2].startswith("    opens 14 against 0, the median of 2 others in web;")
    assert "    * web3: late 3.2 s" in lines
    assert "    web3: process httpd, path /var/www/html/lectura_lenta.html, seconds 8.47 s," in lines
    assert "INFO  web1: a remark" in lines
    assert text.index("FINDINGS") < text.index("COVERAGE")


def test_a_finding_of_calls_shows_the_chain_of_callers(tmp_path: Path) -> None:
    calls = replace(
        reportdata.finding(), kind="calls", table="", key=("ls", "readdir", "read block"), rows=()
    )
    report = reportdata.found(reportdata.sweep(tmp_path, probes=("fs_calltrace",)), calls)
    assert "    ls: readdir > read block" in after(as_text.render(report), "FINDINGS")


def test_many_findings_are_counted(tmp_path: Path) -> None:
    made = reportdata.sweep(tmp_path, probes=("slow_open",))
    report = reportdata.found(made, *[reportdata.finding()] * 20, *[reportdata.finding(severity="info")] * 3)
    assert "and 3 more findings (3 info); all are in report.json" in as_text.render(report)


def test_no_finding_says_what_that_means(tmp_path: Path) -> None:
    report = reportdata.found(reportdata.sweep(tmp_path))
    report.findings = []
    first = after(as_text.render(report), "FINDINGS")[0]
    assert first.startswith("none: no host differs from its peers (1 comparison of 3 hosts)")
    report.comparisons = []
    assert "can be compared" in as_text.render(report)
    assert "nothing is known of any" in shown(Builder(tmp_path / "other", ["web1"]))


def test_a_large_fleet_is_covered_in_groups(tmp_path: Path) -> None:
    made = Builder(tmp_path, [f"web{n}" for n in range(300)])
    made.window()
    for host in made.hosts[:280]:
        made.whole(host, {"slow_open": made.out()})
    for host in made.hosts[280:]:
        made.event(host, "preflight", "unreachable", "No route to host")
    lines = after(shown(made), "COVERAGE")
    assert lines[0].startswith("20 hosts unreachable: web280, web281, ")
    assert lines[1] == "  web287 and 12 more"
    assert lines[2] == "      unreachable at preflight: No route to host"
    assert [line for line in lines if line.startswith("280 hosts probed: ")]
    assert len(lines) < 10


def test_the_course_over_the_window(tmp_path: Path) -> None:
    lines = after(as_text.render(reportdata.found(reportdata.sweep(tmp_path))), "PROBE nettop")
    course = lines[lines.index("sent over the window:") :]
    assert [line.split()[:2] for line in course if line.startswith("web")] == [
        ["web3", "██████"],
        ["web2", "▆▆▆▆▆▆"],
        ["web1", "▃▃▃▃▃▃"],
    ]
    assert [line.split()[-3:] for line in course if line.startswith("all hosts")] == [["17.6", "KiB", "#1"]]
    assert "  one sign: 5 s" in course


HISTOGRAM: dict[str, Any] = {
    **rundirs.SLOW_OPEN,
    "parameters": {},
    "tables": {
        "latency": {
            "description": "Requests by how long they took.",
            "sort": "-requests",
            "columns": {
                "device": {"type": "string", "role": "key", "description": "Disk."},
                "latency": {"type": "duration", "unit": "us", "role": "key", "description": "From."},
                "requests": {"type": "int", "role": "measure", "merge": "sum", "description": "Many."},
            },
            "views": [{"kind": "histogram", "measure": "requests", "bucket": "latency"}],
        }
    },
}


def test_a_histogram_is_a_line_per_host_with_its_tail(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"], manifests={**rundirs.MANIFESTS, "slow_open": HISTOGRAM})
    made.window()
    counts = {"web1": {64: 980, 128: 20}, "web2": {64: 900, 128: 50, 65536: 50}}
    for host, buckets in counts.items():
        rows = [record("latency", 9, "vda", bound, count) for bound, count in buckets.items()]
        made.whole(host, {"slow_open": made.out(*rows)})
    lines = after(shown(made), "PROBE slow_open")
    found = [line.split() for line in lines if line.startswith("web")][:2]
    assert found == [
        ["web2", "vda", "1,000", "64", "µs", "65.5", "ms", "65.5", "ms", "█▅▅"],
        ["web1", "vda", "1,000", "64", "µs", "128", "µs", "128", "µs", "█▄·"],
    ]
    assert "  latency from 64 µs to 65.5 ms; heights are logarithms, · is none" in lines


def test_a_failed_build_shows_systemtaps_message(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.preflight("web1")
    made.build(failed={"slow_open": ("semantic error: no match\n   source: probe x { }\n          ^", 12)})
    lines = after(shown(made), "PROBE slow_open")
    start = lines.index("Not built for kernel 6.12.90-amd64 (web1):")
    assert lines[start + 1 : start + 4] == [
        "    line 12: semantic error: no match",
        "       source: probe x { }",
        "              ^",
    ]


def test_an_empty_sweep(tmp_path: Path) -> None:
    assert shown(Builder(tmp_path, [])).startswith("fleetdiag: no host was in the pattern\n")


def test_too_many_columns_become_lines_of_names_and_values() -> None:
    heads = [Head(f"column{n}", numeric=True) for n in range(20)]
    row = [Cell("123456789")] * 20
    assert as_text._grid(grids.Grid("", heads, [row])) is None
    assert all(as_text.width(line) <= 80 for line in as_text._as_records(heads, [row]))


def test_where_room_is_short_rates_go_before_names_are_cut_to_nothing() -> None:
    heads = [
        Head("host", least=20),
        Head("process"),
        Head("path", tail=True),
        Head("written", True),
        Head("per second", True, spare=3),
    ]

    def line(host: str, path: str) -> str:
        row = [Cell(host), Cell("p" * 20), Cell(path), Cell("1.00 MiB"), Cell("123.45 KiB/s")]
        return (as_text._grid(grids.Grid("", heads, [row])) or [""])[-1]

    assert line("web1", "/" * 80).endswith("123.45 KiB/s")
    assert as_text.width(line("web1", "/" * 80)) == 80
    assert line("h" * 20, "/" * 20).split() == ["h" * 20, "p" * 20, "/" * 20, "1.00", "MiB"]


def test_measures_for_which_there_is_no_room_are_named(tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    columns = manifest["tables"]["slow_files"]["columns"]
    names = [f"measured_{word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
    columns.update({name: {**columns["opens"], "rate": True} for name in names})
    columns["measured_eight"]["compare"] = {"scope": "host"}
    made = Builder(tmp_path, ["web1"], manifests={"slow_open": manifest})
    made.window()
    rows = [record("slow_files", 9, "p" * 40, "/" + "x" * 60, 2_000_000, 3, *[10**9] * 8)]
    made.whole("web1", {"slow_open": made.out(*rows)})
    lines = after(shown(made), "PROBE slow_open")
    (row,) = (line for line in lines if line.startswith("web1"))
    assert re.fullmatch(r"web1  p{12,}…  …x{11,}  +2 s  +3  1,000,000,000  1,000,000,000", row)
    told = lines.index("  not shown, but in report.json: measured two, measured three, measured four,")
    assert lines[told + 1] == "    measured five, measured six, measured seven"
    assert "eight" in lines[lines.index(row) - 1]


def test_a_label_longer_than_its_columns_has_a_line_of_its_own() -> None:
    foot = [(Cell("other: 15 rows of 2 hosts"), [Cell("7")])]
    grid = grids.Grid("", [Head("a"), Head("n", True)], [[Cell("x"), Cell("1")]], foot=foot)
    assert (as_text._grid(grid) or [])[-1].split()[-2:] == ["hosts", "7"]
    wide = [Head("a"), *(Head("n" * 10, True) for _ in range(5))]
    row = [Cell("x"), *[Cell("1" * 12)] * 5]
    grid = grids.Grid("", wide, [row], foot=[(foot[0][0], [Cell("7")] * 5)])
    lines = as_text._grid(grid) or []
    assert lines[-2] == "other: 15 rows of 2 hosts"
    assert lines[-1].split() == ["7"] * 5


@pytest.mark.parametrize(
    ("text", "size", "tail", "expected"),
    [
        ("abcdef", 6, False, "abcdef"),
        ("abcdef", 5, False, "abcd…"),
        ("/var/www/x", 5, True, "…ww/x"),
        ("日本語", 6, False, "日本語"),
        ("日本語", 5, False, "日本…"),
        ("日本語", 4, True, "…語"),
        ("webserver *", 8, False, "webse… *"),
    ],
)
def test_cut(text: str, size: int, tail: bool, expected: str) -> None:
    assert as_text.cut(text, size, tail=tail) == expected


@given(st.text(), st.integers(2, 30), st.booleans())
def test_cut_never_exceeds(text: str, size: int, tail: bool) -> None:
    assert as_text.width(as_text.cut(text, size, tail=tail)) <= size
