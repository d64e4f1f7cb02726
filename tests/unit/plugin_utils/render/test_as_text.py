# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
import rundirs
from hypothesis import given
from hypothesis import strategies as st
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import report as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.cells import Cell, Head

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
    text = shown(rundirs.hostile(tmp_path))
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


def test_all_but_paths_fits_a_hundred_columns(tmp_path: Path) -> None:
    text = shown(rundirs.hostile(tmp_path))
    files = after(text, "FILES")
    wide = [line for line in text.splitlines() if as_text.width(line) > 100 and line not in files]
    assert wide == []


def test_the_order_and_every_host_once(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "old1"])
    made.window()
    made.whole("web1", {"slow_open": made.out(record("slow_files", 9, "httpd", "/x", 8471285, 1))})
    made.preflight(
        "old1", verdict="refused", reason="staprun 4.8 is too old", remedy="install 5.6", kernel="6.1"
    )
    text = shown(made)
    assert text.startswith("fleetdiag: 1 of 2 hosts probed, 1 refused\n")
    places = [text.index(word) for word in ("COVERAGE", "PROBE slow_open", "FILES")]
    assert places == sorted(places)
    coverage = after(text, "COVERAGE")
    assert [line.split()[0] for line in coverage if line and not line.startswith(" ")] == [
        "Host",
        "web1",
        "old1",
    ]
    assert "      staprun 4.8 is too old" in coverage
    assert "      -> install 5.6" in coverage
    assert str(made.path / "report.html") in after(text, "FILES")


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
    assert table[1].split() == ["Host", "process", "path", "seconds", "opens"]
    assert table[2].split() == ["web1", "httpd", "/var/www/lenta.html", "8.471285", "1"]
    assert table[3].split() == ["web2", "*", "cron", "/x", "1.500000", "2"]
    assert table[5].split() == ["Total,", "2", "hosts", "*", "8.471285", "3"]
    assert "  * web2: late 3.2 s" in table


def test_more_rows_are_counted(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.window()
    many = [record("slow_files", 9, f"p{n}", "/x", 1500000, 1) for n in range(30)]
    made.whole("web1", {"slow_open": made.out(*many)})
    assert "  and 10 more rows of 1 host; all are in report.json" in after(shown(made), "PROBE slow_open")


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
    row = [Cell("123456789", 1.0)] * 20
    assert as_text._grid(heads, [row], []) is None
    assert all(as_text.width(line) <= 100 for line in as_text._as_records(heads, [row]))


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
