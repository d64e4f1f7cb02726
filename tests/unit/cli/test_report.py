# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag report`: which files it makes where, what it prints, how it ends."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import command_line, environment

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.run.report import exit_code

rundirs: Any = importlib.import_module("rundirs")
reportdata: Any = importlib.import_module("reportdata")

Command = Callable[..., "subprocess.CompletedProcess[str]"]
BY_DEFAULT = {"csv", "html", "json", "md", "txt"}


@pytest.fixture
def run(home: Path) -> Path:
    path: Path = reportdata.sweep(home / "runs").path
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_format_says_what_it_is() -> None:
    known = registry.formats()
    assert {name for name, item in known.items() if item.by_default} == BY_DEFAULT
    assert {"sqlite", "lines", "speedscope", "chrome-trace", "openmetrics"} <= set(known)
    modules = Path(registry.__file__).parent.glob("as_*.py")
    assert len(known) == len(list(modules)), "a renderer is a format by being there"
    assert all(item.about and len(item.about) < 70 for item in known.values())


def test_help_lists_the_formats_and_the_exit_codes(fleetdiag: Command) -> None:
    told = fleetdiag("report", "--help").stdout
    for item in registry.formats().values():
        assert f"  {item.name} " in told
        assert item.about + ("" if item.by_default else " *") in told
    assert "4    something as severe as --fail-on" in told
    assert "the report is made as csv, html, json, md, txt;" in fleetdiag("sweep", "--help").stdout


def test_by_default_what_a_sweep_makes(fleetdiag: Command, run: Path) -> None:
    before = files(run)
    result = fleetdiag("report", str(run))
    assert (result.returncode, result.stderr) == (0, "")
    made = files(run) - before
    assert {"report.html", "report.json", "report.md", "report.txt", "csv/nettop.traffic.csv"} <= made
    assert not made & {"rows.sqlite", "report.prom"}
    assert result.stdout.startswith((run / "report.txt").read_text())
    assert str(run / "report.html") in result.stdout.splitlines()
    assert f"{run}/csv/" in result.stdout.splitlines()
    assert fleetdiag("report", str(run)).stdout == result.stdout


def test_a_weight_that_may_still_be_lowered_makes_the_exit_code(fleetdiag: Command, run: Path) -> None:
    label = "/run/lb.sock: web/web1"
    lowered = {"weights": {label: {"before": 100, "after": 50}}}
    owed = {"weights": {}, "left": {}, "owed": {label: {"weight": 100, "why": "timed out"}}}
    moments = [
        {"moment": moment, "batch": 0, "t": 1.0, "balancers": {"lb1": said}}
        for moment, said in (("lowered", lowered), ("restored", owed))
    ]
    data = {"weight": "50%", "servers": {"web1": "web1"}, "moments": moments}
    write.write_json(run, "balancers.json", data)
    result = fleetdiag("report", str(run))
    assert "set its weight to 100, or fleetdiag abort -i INVENTORY -l lb1" in " ".join(result.stdout.split())
    assert result.returncode == 3
    data["moments"] = [*moments, {**moments[1], "balancers": {"lb1": {**owed, "owed": {}}}}]
    write.write_json(run, "balancers.json", data)
    assert fleetdiag("report", str(run)).returncode == 0


def test_a_report_that_cannot_be_written_is_shown(fleetdiag: Command, run: Path) -> None:
    (run / "report.html").mkdir()
    result = fleetdiag("report", str(run))
    assert result.returncode == 3
    assert result.stdout.startswith("fleetdiag: ")
    assert "fleetdiag: no report was written: " in result.stderr
    assert "Traceback" not in result.stderr


def test_all_formats_where_one_wants_them(fleetdiag: Command, run: Path, home: Path) -> None:
    before = files(run)
    result = fleetdiag("report", str(run), "--format", "all", "-o", "new/folder")
    assert (result.returncode, result.stderr) == (0, "")
    assert files(run) == before
    made = files(home / "new/folder")
    assert {
        *("report.html", "report.json", "report.md", "report.txt", "report.prom", "rows.sqlite"),
        *("notes.lines.txt", "calls/fs_calltrace.speedscope.json", "calls/fs_calltrace.trace.json"),
        *("csv/findings.csv", "csv/coverage.csv", "csv/slow_open.slow_files.csv"),
    } <= made
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in [home / "new/folder", *(home / "new/folder").rglob("*")]
    )


def test_formats_by_name(fleetdiag: Command, run: Path, home: Path) -> None:
    result = fleetdiag("report", str(run), "--format", "md,openmetrics", "--format", "md", "-o", "out")
    assert files(home / "out") == {"report.md", "report.prom"}
    assert result.stdout.split() == ["out/report.md", "out/report.prom"]


def test_one_text_on_standard_output(fleetdiag: Command, run: Path) -> None:
    before = files(run)
    assert fleetdiag("report", str(run), "--format", "md", "-o", "-").stdout.startswith("## fleetdiag: ")
    assert json.loads(fleetdiag("report", str(run), "--format", "json", "-o", "-").stdout)
    assert fleetdiag("report", str(run), "-o", "-").stdout.startswith("fleetdiag: ")
    assert files(run) == before


def test_a_format_without_anything_to_show_says_so(fleetdiag: Command, home: Path) -> None:
    made = reportdata.sweep(home / "runs", probes=("slow_open",))
    result = fleetdiag("report", str(made.path), "--format", "speedscope")
    assert result.returncode == 0
    assert result.stdout.strip() == "speedscope: there is nothing for it in this report"


def test_same_run_directory_same_bytes(run: Path, tmp_path: Path) -> None:
    shown = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        registry.write(reports.build(run, generated="now"), folder, registry.chosen(["all"]))
        shown.append({path: (folder / path).read_bytes() for path in files(folder)})
    assert shown[0] == shown[1]
    moved = shutil.move(run, tmp_path / "elsewhere")
    later = reports.build(moved, generated="later")
    registry.write(later, tmp_path / "one", registry.chosen(["all"]))
    for path in files(tmp_path / "one") - {"report.html", "report.json"}:  # those two say when they were made
        assert (tmp_path / "one" / path).read_bytes() == shown[0][path], path


def test_several_run_directories_make_one_report(fleetdiag: Command, home: Path) -> None:
    paths = []
    for number in (1, 2):
        made = rundirs.Builder(home / "runs", [f"web{number}"], sweep_id=f"20261123_08000{number}_ab12")
        made.window()
        if number == 1:
            made.whole("web1", {"slow_open": made.out()})
        paths.append(str(made.path))
    result = fleetdiag("report", *paths, "-o", "both")
    assert result.returncode == 3
    assert "1 of 2 hosts probed, 1 not probed" in " ".join(result.stdout.split())
    assert "report.html" in files(home / "both")
    again = fleetdiag("report", *reversed(paths), "-o", "again")
    assert (home / "both/report.md").read_bytes() == (home / "again/report.md").read_bytes()
    assert again.returncode == 3

    refused = fleetdiag("report", *paths, "-o", paths[0])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is the run directory of a sweep" in refused.stderr


def test_the_run_directory_itself_may_be_named_as_the_place(fleetdiag: Command, run: Path) -> None:
    assert fleetdiag("report", str(run), "--format", "md", "-o", str(run)).returncode == 0
    assert (run / "report.md").is_file()


@pytest.mark.parametrize(
    ("severities", "fail_on", "complete", "code"),
    [
        (["critical"], "", True, 0),
        (["critical"], "critical", True, 4),
        (["critical"], "warning", True, 4),
        (["warning", "info"], "critical", True, 0),
        (["warning"], "warning", True, 4),
        (["info"], "warning", True, 0),
        ([], "warning", True, 0),
        ([], "warning", False, 3),
        (["critical"], "", False, 3),
        (["critical"], "critical", False, 4),
    ],
)
def test_exit_code(tmp_path: Path, severities: list[str], fail_on: str, complete: bool, code: int) -> None:
    made = reportdata.sweep(tmp_path, probes=("slow_open",))
    if not complete:
        write.write_json(made.path, "sweep.json", {**sweep_json(made.path), "hosts": [*made.hosts, "web4"]})
    report = reports.build(made.path)
    report.findings = [reportdata.finding(severity=severity) for severity in severities]
    assert exit_code(report, fail_on) == code


def sweep_json(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "sweep.json").read_text()))


def test_a_check_that_speaks_up_ends_with_4_if_asked(fleetdiag: Command, home: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    manifest["tables"]["slow_files"]["checks"] = [{"measure": "seconds", "above": 5, "severity": "critical"}]
    made = rundirs.Builder(home / "runs", ["web1"], manifests={"slow_open": manifest})
    made.window()
    made.whole("web1", {"slow_open": made.out(rundirs.record("slow_files", 9, "p", "/x", 9_000_000, 1))})
    assert fleetdiag("report", str(made.path)).returncode == 0
    assert fleetdiag("report", str(made.path), "--fail-on", "critical").returncode == 4


def test_a_terminal_that_knows_no_utf8(home: Path, run: Path) -> None:
    done = subprocess.run(
        command_line("report", str(run)),
        cwd=home,
        env={**environment(home), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "FINDINGS \\u2500" in done.stdout.decode("latin-1")


@pytest.mark.parametrize("form", ["sqlite", "all"])
def test_a_faulty_manifest_of_one_of_two_is_a_note_in_every_format(
    fleetdiag: Command, home: Path, form: str
) -> None:
    faulty = {**rundirs.SLOW_OPEN, "cost": "none at all"}
    runs = []
    for number, manifest in enumerate([faulty, rundirs.SLOW_OPEN]):
        made = rundirs.Builder(
            home / "runs",
            [f"web{number}"],
            sweep_id=f"20261123_08000{number}_ab12",
            manifests={"slow_open": manifest},
        )
        made.window()
        made.whole(
            f"web{number}", {"slow_open": made.out(rundirs.record("slow_files", 9, "p", "/x", 9_000_000, 1))}
        )
        runs.append(str(made.path))
    done = fleetdiag("report", *runs, "-o", str(home / "out"), "--format", form)
    assert done.returncode in (0, 3), done.stderr
    assert (home / "out" / "rows.sqlite").exists()
