# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows P1-P11, D1-D6 and R1-R6 of the test cases for hostile data, each under its name and from end to end: what
a session printed on one side, the report in every format on the other. What a row needs in detail (every escape,
every field of a record) is tested where the code is; R6 and the same names on a real kernel are in
tests/integration/test_hostile.py.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode, encode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import MAX_ROWS_PER_HOST
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    as_csv,
    as_html,
    as_json,
    as_text,
    registry,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_program import FILES
from fleetdiag.run import progress


def _rundirs() -> Any:
    path = Path(__file__).parents[2] / "support" / "rundirs.py"
    spec = importlib.util.spec_from_file_location("rundirs_of_hostile_rows", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


rundirs = _rundirs()
SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text())
NONCE = rundirs.NONCE

Report = Callable[..., model.Report]


@pytest.fixture
def swept(tmp_path: Path) -> Report:
    """The report of one host whose slow_open printed these lines between its control records."""

    def made(*lines: bytes, hosts: list[str] | None = None, ended: bool = True) -> model.Report:
        run = rundirs.Builder(tmp_path, hosts or ["web1"])
        run.window()
        run.build()
        head, tail = _around(run, ended)
        run.whole("web1", {"slow_open": head + b"".join(lines) + tail})
        return reports.build(run.path, generated="now")

    return made


def _around(run: Any, ended: bool = True) -> tuple[bytes, bytes]:
    out = run.out(ended=ended)
    lines = out.splitlines(keepends=True)
    return b"".join(lines[:2]), b"".join(lines[2:])


def line(seq: int, process: bytes, path: bytes = b"/x", us: bytes = b"2000000", opens: bytes = b"1") -> bytes:
    """One record of slow_open, its texts as they are given."""
    return (
        b"\t".join([NONCE.encode(), b"%d" % (seq + 2), b"slow_files", b"9", process, path, us, opens]) + b"\n"
    )


def processes(report: model.Report) -> list[object]:
    """The process names of the report's one table."""
    return [row.key[0] for row in report.probes[0].tables[0].rows()]


def session(report: model.Report) -> Any:
    """What the coverage table says of the one session."""
    return report.coverage[0].sessions["slow_open"]


def everywhere(report: model.Report, folder: Path) -> dict[str, str]:
    """The report in every format there is; each was looked at and does nothing but show what it holds."""
    folder.mkdir()
    registry.write(report, folder, registry.chosen([registry.ALL]))
    hostile.assert_inert(folder)
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".sqlite"
    }


# --- P: parser and encoding


@pytest.mark.parametrize(
    ("printed", "data", "shown"),
    [
        pytest.param(rb"a\tb\nc\\", "a\tb\nc\\", r"a\x09b\x0ac" + "\\", id="P1"),
        pytest.param(rb"\033[31m", "\x1b[31m", r"\x1b[31m", id="P2"),
        pytest.param(rb"\u65e5", "日", "日", id="P3"),
        pytest.param(rb"\U0001f600", "😀", "😀", id="P3-beyond-16-bits"),
        pytest.param(rb"\377", r"\xff", r"\xff", id="P4"),
        pytest.param(rb"bad\q", r"bad\q", r"bad\q", id="P5"),
    ],
)
def test_p1_to_p5_a_printed_name_is_data_and_is_shown_safely(
    swept: Report, tmp_path: Path, printed: bytes, data: str, shown: str
) -> None:
    report = swept(line(1, printed))
    assert processes(report) == [data]
    files = everywhere(report, tmp_path / "formats")
    assert json.loads(files["report.json"])["probes"][0]["tables"][0]["rows"][0]["key"][0] == data
    assert shown in files["report.txt"]
    assert shown in files["csv/slow_open.slow_files.csv"]


def test_p6_a_name_printed_raw_forges_no_row(swept: Report) -> None:
    raw = b"x\ty\n" + b"f" * 16 + b"\t9\troot"
    report = swept(line(1, b"a"), line(2, raw), line(3, b"b"))
    assert processes(report) == ["a", "b"]
    assert [(loss.kind, loss.count) for loss in session(report).losses] == [("rejected_lines", 2)]


def test_p6_not_even_with_the_nonce_of_another_sweep(swept: Report) -> None:
    report = swept(line(1, b"a"), line(2, b"root").replace(NONCE.encode(), b"0" * 16))
    assert processes(report) == ["a"]
    assert session(report).losses[0].kind == "rejected_lines"


def test_p7_a_last_line_that_was_cut_is_rejected_and_said(swept: Report) -> None:
    report = swept(line(1, b"a"), line(2, b"b")[:-1], ended=False)
    assert processes(report) == ["a"]
    kinds = {loss.kind: loss.text for loss in session(report).losses}
    assert kinds["truncated"] == "output ends in the middle"
    assert "rejected_lines" in kinds


# Not ru_maxrss: a process that was forked begins with that of the one which runs the tests.
MEASURE = """
import re, sys
from pathlib import Path
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build
made = build.build(Path(sys.argv[1]), generated="now")
registry.write(made, Path(sys.argv[2]))
print(int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def _report_alone(run: Path, folder: Path) -> int:
    """Make the report in a process of its own; the most memory that it took, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(run), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def _collect_packed(run: Any, packed: bytes, size: int, truncated: bool = True) -> None:
    """A host whose output is given compressed, and was too much for its limit."""
    for phase in ("preflight", "arm", "go"):
        getattr(run, phase)("web1")
    write.write_host_bytes(run.path, "web1", "slow_open.out.gz", packed)
    found = {
        "result": "exit-code",
        "exit_code": "XFSZ",
        "out_bytes": size,
        "truncated": truncated,
        "sha256": "",
        "cpu_s": 1,
    }
    write.write_host(run.path, "web1", "collect", {"sessions": {"slow_open": found}, "residue": []})


def test_p8_output_without_end_stops_at_its_cap(tmp_path: Path) -> None:
    manifest = {**rundirs.SLOW_OPEN, "limits": {"output_mb": 2}}
    run = rundirs.Builder(tmp_path, ["web1"], manifests={"slow_open": manifest})
    run.window()
    head, _ = _around(run)
    block = b"".join(line(n, b"p%d" % n) for n in range(1, 20_000))
    times = 200_000_000 // len(block) + 1
    _collect_packed(
        run, gzip.compress(head) + gzip.compress(block) * times, times * len(block), truncated=False
    )
    formats = tmp_path / "formats"
    formats.mkdir()
    assert _report_alone(run.path, formats) < 200
    (row,) = json.loads((formats / "report.json").read_text())["coverage"]
    assert row["status"] == "degraded"
    losses = row["sessions"]["slow_open"]["losses"]
    assert "output truncated at its limit" in [loss["text"] for loss in losses]


@pytest.mark.parametrize(
    ("us", "opens"),
    [
        (b"1e309", b"1"),
        (b"-1", b"1"),
        (b"NaN", b"1"),
        (b"2", b"%d" % 2**70),
        (b"", b"1"),
        (b"2", b"0x10"),
        (b"2", b"1 "),
    ],
)
def test_p9_a_number_that_is_none_is_rejected(swept: Report, us: bytes, opens: bytes) -> None:
    report = swept(line(1, b"a"), line(2, b"b", us=us, opens=opens))
    assert processes(report) == ["a"]
    assert [loss.kind for loss in session(report).losses] == ["rejected_lines"]
    data = json.loads(as_json.render(report), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)


def test_p10_a_million_names_are_the_top_ones_and_other() -> None:
    table = probe_from_manifest("slow_open", rundirs.SLOW_OPEN).tables["slow_files"]
    merger = HostMerger(table)
    for n in range(1_000_000):
        merger.add(Row("slow_files", 9, n, (f"p{n}", "/", float(n), 1)))
    fleet = merge.FleetMerger("slow_open", table)
    fleet.add("web1", merger, 10.0)
    merged = fleet.finish()
    (host,) = merged.hosts
    assert host.other is not None
    assert len(list(merged.rows())) == MAX_ROWS_PER_HOST
    assert sum(row.rows for row in merged.rows()) + host.other.rows == 1_000_000
    assert merged.total is not None
    assert merged.total.values == (999_999.0, 1_000_000)


def test_p10_more_names_than_are_kept_make_no_larger_report(tmp_path: Path) -> None:
    manifest = {**rundirs.SLOW_OPEN, "limits": {"output_mb": 64}}
    run = rundirs.Builder(tmp_path, ["web1"], manifests={"slow_open": manifest})
    run.window()
    head, tail = _around(run)
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(head)
        packed.writelines(line(n, b"p%d" % n, b"/", b"%d" % (2_000_000 + n)) for n in range(200_000))
        packed.write(tail)
    _collect_packed(run, out.getvalue(), 0)
    formats = tmp_path / "formats"
    formats.mkdir()
    _report_alone(run.path, formats)
    table = json.loads((formats / "report.json").read_text())["probes"][0]["tables"][0]
    assert table["total"]["rows"] == 200_000
    assert table["hosts"][0]["other"]["rows"] == 200_000 - sum(row["rows"] for row in table["rows"])
    assert (formats / "report.html").stat().st_size < 6_000_000
    assert sum(path.stat().st_size for path in formats.rglob("*") if path.is_file()) < 30_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=60) | st.binary(max_size=30).map(lambda raw: line(1, raw, encode(raw))), max_size=8
    )
)
def test_p11_any_bytes_make_a_valid_report(swept: Report, tmp_path_factory: Any, lines: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    run = rundirs.Builder(folder, ["web1"])
    run.window()
    head, tail = _around(run)
    run.whole("web1", {"slow_open": head + b"\n".join([*lines, b""]) + tail})
    report = reports.build(run.path, generated="now")
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(as_json.render(report)))
    everywhere(report, folder / "formats")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=128))
def test_p11_a_text_survives_its_escapes(text: str) -> None:
    assert decode(encode(text)) == text


# --- D: display and report

ATTACKS = {
    "D1-title": ("\x1b]0;pwn\x07", r"\x1b]0;pwn\x07"),
    "D1-clear": ("\x1b[2J", r"\x1b[2J"),
    "D1-return": ("a\rok: [h1]", r"a\x0dok: [h1]"),
    "D1-c1": ("\x9b31m", r"\x9b31m"),
    "D1-bidi": ("\u202egnp.exe", r"\u202egnp.exe"),
    "D1-surrogate": ("\ud800", r"\ud800"),
    "D2": (
        "[bold red]x[/] [link=file:///etc/passwd]y[/link]",
        "[bold red]x[/] [link=file:///etc/passwd]y[/link]",
    ),
    "D3-script": ("</script><script>alert(1)</script>", "</script><script>alert(1)</script>"),
    "D3-comment": ("<!--<script>", "<!--<script>"),
    "D3-attribute": ('"><img src=x onerror=alert(2)>', '"><img src=x onerror=alert(2)>'),
    "D3-separator": ("a\u2028b", r"a\u2028b"),
    "D4-dde": ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
    "D5": ('a"b\nc\\', r"a" + '"' + r"b\x0ac" + "\\"),
    "D6": ("日本", "日本"),
}
each_attack = pytest.mark.parametrize(("attack", "shown"), list(ATTACKS.values()), ids=list(ATTACKS))


def attacked(folder: Path, attack: str) -> model.Report:
    """A report in which a process, a file, a host, a probe's title, a reason and a compiler's error say this."""
    safe = attack.encode("utf-8", "backslashreplace").decode()
    title = safe.replace("\n", " ")  # a manifest's texts are lines
    manifest = {**rundirs.SLOW_OPEN, "title": title, "question": f"{title}?"}
    run = rundirs.Builder(
        folder,
        ["web1", attack, f"refused {attack}"],
        ["slow_open", "nettop"],
        manifests={"slow_open": manifest, "nettop": rundirs.NETTOP},
    )
    run.window()
    run.build(failed={"nettop": (f"semantic error: {attack}", 3)})
    record = rundirs.record("slow_files", 9, encode(safe).decode(), encode(safe).decode(), 2_000_000, 1)
    said = {"slow_open": f"WARNING: {attack}\n".encode("utf-8", "replace").decode()}
    for host in ("web1", attack):
        run.whole(host, {"slow_open": run.out(record)}, err=said)
    run.preflight(f"refused {attack}", verdict="refused", reason=attack, remedy=attack, kernel=attack)
    return reports.build(run.path, generated="now")


@each_attack
def test_d1_to_d6_every_format_shows_it_and_does_nothing(tmp_path: Path, attack: str, shown: str) -> None:
    files = everywhere(attacked(tmp_path, attack), tmp_path / "formats")
    assert shown in files["report.txt"]
    assert shown in "".join(hostile.Elements(files["report.html"]).texts) or shown in as_data(
        files["report.html"]
    )
    hosts = [row["host"] for row in json.loads(files["report.json"])["coverage"]]
    assert set(hosts) == {"web1", attack, f"refused {attack}"}
    column = [row["process"] for row in csv.DictReader(io.StringIO(files["csv/slow_open.slow_files.csv"]))]
    assert {cell.removeprefix("'") for cell in column} == {shown}


def as_data(page: str) -> str:
    """The texts in the data that a page carries for its script, as the script shows them."""
    found = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    return " ".join(str(json.loads(data)) for data in found).replace("\\\\", "\\")


@each_attack
def test_d1_d2_the_progress_on_the_terminal(attack: str, shown: str) -> None:
    state = progress.Progress(hosts=[attack], window_s=3)
    state.feed({"event": "playbook_on_task_start", "event_data": {"task": f"Arm | {attack}"}})
    event = {"host": attack, "task_action": "x", "res": {"msg": attack}}
    told = state.feed({"event": "runner_on_failed", "event_data": event})
    console = Console(
        file=io.StringIO(), width=200, force_terminal=True, color_system="truecolor", markup=True
    )
    console.print(progress._screen(state, console))
    assert isinstance(console.file, io.StringIO)
    screen = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())  # its own colours
    hostile.assert_safe_text(screen)
    assert "]8;" not in screen
    assert shown in screen
    assert all(not hostile.UNSAFE.search(news.message) for news in told)


def test_d3_the_page_has_the_elements_of_a_harmless_one(tmp_path: Path) -> None:
    def tags(folder: str, text: str) -> list[str]:
        (tmp_path / folder).mkdir()
        page = as_html.render(attacked(tmp_path / folder, text))
        return sorted(tag for tag, _ in hostile.Elements(page).found)

    harmless = tags("harmless", "harmless")
    for name, (attack, _) in ATTACKS.items():
        if name.startswith("D3"):
            assert tags(name, attack) == harmless, name


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\\x09=1"),
        (-5, -5),
        (-0.5, -0.5),
    ],
)
def test_d4_no_cell_begins_a_formula(value: Any, cell: Any) -> None:
    assert as_csv.cell(value) == cell


def test_d6_names_in_any_script_are_kept_by_every_format(tmp_path: Path) -> None:
    for name, text in everywhere(attacked(tmp_path, "日本"), tmp_path / "formats").items():
        if not name.startswith(("csv/findings", "csv/nettop")):  # they have no rows here
            assert "日本" in text or "\\u65e5\\u672c" in text, name


# --- R: secrets


def test_r1_to_r5_are_tested_where_the_rules_are() -> None:
    """Each vector by its name, in test_redact.py."""
    text = (Path(__file__).parents[1] / "host_program" / "test_redact.py").read_text()
    assert {*re.findall(r'id="(R[1-5])', text)} == {"R1", "R2", "R3", "R4", "R5"}
    assert (FILES / "redact.sed").is_file()


def test_a_text_that_was_taken_out_is_shown_as_such(swept: Report) -> None:
    assert "mysqld --password=***" in as_text.render(swept(line(1, b"mysqld --password=***")))
