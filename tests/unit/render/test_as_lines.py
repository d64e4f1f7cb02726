# SPDX-License-Identifier: GPL-3.0-or-later
"""Printed text, merged by time: the whole in a file of its own, the beginning in the other renderings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rundirs
from rundirs import NONCE, START, Builder

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_lines, as_md, as_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.lines import first_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model


def stamped(made: Builder, lines: dict[int, str], *, offset_s: float = 0.0) -> bytes:
    """Output with a `@time` record before each line; lines by milliseconds since the window's start."""
    start = round((START + offset_s) * 1000)
    end = round((START + offset_s + made.window_s) * 1000)
    records = [("@armed", -4000, f"\t{start - 4000}"), ("@start", 0, f"\t{start}")]
    records += [("@time", at, f"\n{line}") for at, line in lines.items()]
    records.append(("@end", end - start, f"\t{end}\twindow"))
    return "".join(f"{NONCE}\t{n}\t{t}\t{at}{rest}\n" for n, (t, at, rest) in enumerate(records, 1)).encode()


@pytest.fixture
def made(tmp_path: Path) -> Builder:
    """Three hosts: one tells times between its lines, one in them (its clock is 2 s ahead), one not at all."""
    made = Builder(tmp_path / "runs", ["told", "own", "none"], ["notes"])
    made.window()
    made.whole("told", {"notes": stamped(made, {500: "a", 2500: "c", 7000: "e"})})
    made.preflight("own", offset_s=2.0)
    made.arm("own")
    made.go("own", offset_s=2.0)
    epoch = int(START) + 2
    printed = f"{epoch + 1}.250 b\n  more of b\n{epoch + 4} d\n"
    made.collect("own", {"notes": made.out(payload=printed, offset_s=2.0)})
    made.whole("none", {"notes": made.out(payload="x\ny\n")})
    return made


def merged(made: Builder, folder: Path) -> list[str]:
    report = reports.build(made.path)
    assert as_lines.write(report, folder) == ["notes.lines.txt"]
    return (folder / "notes.lines.txt").read_text().splitlines()


def test_all_lines_merged_by_time_with_the_host_in_front(made: Builder, tmp_path: Path) -> None:
    assert merged(made, tmp_path) == [
        "    0.500  told  a",
        "    1.250  own   1790000003.250 b",
        "    1.250  own     more of b",
        "    2.500  told  c",
        "    4.000  own   1790000006 d",
        "    7.000  told  e",
        "        -  none  x",
        "        -  none  y",
    ]


def test_the_beginning_is_in_the_text(made: Builder) -> None:
    lines = as_text.render(reports.build(made.path)).splitlines()
    start = lines.index("Printed by 2 hosts, by seconds since the window's start; own: the lines tell it")
    assert lines[start + 1 : start + 5] == [
        "themselves:",
        "       0.500  told  a",
        "       1.250  own   1790000003.250 b",
        "       1.250  own     more of b",
    ]
    assert lines[lines.index("none (no times are told):") + 1] == "    x"
    assert "   2.500  told  c" in as_md.render(reports.build(made.path))


def test_behind_the_kept_lines_of_a_host_nothing_is_claimed(tmp_path: Path) -> None:
    """Of each host 100 lines are kept: those of a talkative one end early, and so does what is known."""
    made = Builder(tmp_path, ["many", "few"], ["notes"])
    made.window()
    made.whole("many", {"notes": stamped(made, {n: f"m{n}" for n in range(1, 151)})})
    made.whole("few", {"notes": stamped(made, {50: "f1", 20_000: "f2"})})
    (probe,) = reports.build(made.path).probes
    found = [line for _, _, line in as_lines_first(probe.texts)]
    assert found[-1] == "m100"
    assert "f1" in found
    assert "f2" not in found


def as_lines_first(texts: list[model.HostText]) -> list[tuple[int | None, str, str]]:

    return list(first_lines(texts))


def test_more_hosts_than_can_be_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Builder(tmp_path / "runs", [f"h{n:02}" for n in range(23)], ["notes"])
    made.window()
    for number, host in enumerate(made.hosts):
        made.whole(host, {"notes": stamped(made, {100 * k + number: f"{k}" for k in range(1, 5)})})
    whole = merged(made, tmp_path)
    assert len(whole) == 4 * 23
    assert [line.split()[0] for line in whole] == sorted(line.split()[0] for line in whole)
    (tmp_path / "few").mkdir()
    monkeypatch.setattr(as_lines, "FILES", 3)
    assert merged(made, tmp_path / "few") == whole
    assert [path.name for path in (tmp_path / "few").iterdir()] == ["notes.lines.txt"]


def test_nothing_hostile_breaks_a_line(tmp_path: Path) -> None:
    made = rundirs.hostile(tmp_path / "runs")
    lines = merged(made, tmp_path)
    assert all(line.split()[1] == "web1" for line in lines)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", "\n".join(lines))


def test_a_report_without_printed_text_has_no_such_file(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    assert as_lines.write(reports.build(made.path), tmp_path) == []
