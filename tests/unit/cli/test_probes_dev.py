# SPDX-License-Identifier: GPL-3.0-or-later
"""How a trial is shown and recorded; the sweep itself is in tests/integration/test_probes_dev.py."""

from __future__ import annotations

import dataclasses
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse import protocol
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.explain import explain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import coverage, model
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import request
from fleetdiag.probes import dev, folder_check

NONCE = "fedcba9876543210"
COLUMNS = {
    "process": {"type": "string", "role": "key", "description": "A."},
    "time": {"type": "duration", "unit": "us", "role": "measure", "merge": "sum", "description": "A."},
}
HOSTILE = "\\033]0;pwn\\007[bold]x[/]"


def trial(*texts: str, output: str = "rows", more: bytes = b"") -> dev.Trial:
    """Of a session with these records."""
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": output, "cost": "low"}
    if output == "rows":
        manifest["tables"] = {"waits": {"description": "A.", "columns": COLUMNS}}
    probe = catalog.probe_from_manifest("tried", manifest)
    lines = ["@armed\t0\t1700000000000", "@start\t0\t1700000001000", *texts, "@end\t9\t1700000002000\twindow"]
    data = "".join(f"{NONCE}\t{number}\t{text}\n" for number, text in enumerate(lines, 1)).encode() + more
    session = coverage.SessionCoverage("tried", "sampled")
    cover = coverage.HostCoverage("web1", "probed", sessions={"tried": session})
    return dev.Trial(Path("/runs/1"), probe, cover, NONCE, data)


def written(tried: dev.Trial, width: int) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    lines, _ = explain(tried.probe, tried.nonce, io.BytesIO(tried.output or b""))
    dev.write_lines(lines, tried, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [dev.WIDE - 1, dev.WIDE])
def test_raw_stands_beside_parsed_or_above_it(width: int) -> None:
    shown = written(trial("waits\t1500\thttpd\t2500", "waits\t1600\thttpd"), width)
    lines = [line.rstrip() for line in shown.splitlines()]
    raw, parsed = "…3⇥waits⇥1500⇥httpd⇥2500", "waits at 1.500 s: process=httpd time=2.5 ms"
    beside = [line for line in lines if raw in line and parsed in line]
    assert bool(beside) == (width >= dev.WIDE)
    if width < dev.WIDE:
        at = lines.index(f"   3  {raw}")
        assert lines[at + 1] == f"      {parsed}"
        assert lines[at + 3] == "      rejected: 1 fields instead of 2"
    for what in ("armed", "the window begins", "the session ends", "rejected: 1 fields instead of 2"):
        assert any(line.endswith(what) for line in lines)


@pytest.mark.parametrize("width", [60, dev.WIDE, 300])
def test_nothing_is_cut_and_nothing_that_a_host_says_reaches_the_terminal(width: int) -> None:
    shown = written(trial(f"waits\t1\t{HOSTILE}{'y' * 300}\t1", more=b"\x1b[2J\xff\x9b\n"), width)
    assert not {char for char in shown if char < " " and char != "\n"}
    assert shown.count("y") == 600
    joined = "".join(shown.split())
    assert "[bold]x[/]" in joined
    assert "\\x1b[2J\\xff\\x9b" in joined


def test_what_was_lost_and_how_much_there_was(capsys: pytest.CaptureFixture[str]) -> None:
    tried = trial(*(f"waits\t{n}\thttpd\t{n}" for n in range(10)), more=b"noise\n")
    tried.cover.sessions["tried"].losses.append(coverage.Loss("skipped", "3 samples were skipped"))
    tried.cover.sessions["tried"].warnings.append("WARNING: \x1b[2J")
    assert dev.show(tried, 4) == 2
    out = capsys.readouterr().out
    assert (
        "\ntried on web1: 14 lines, 10 rows, 1 rejected\n  3 samples were skipped\n  WARNING: \\x1b[2J\n"
        in out
    )
    # The first lines, and of the rest those that were rejected.
    numbers = [line[:4].strip() for line in out.partition("\n\n")[0].splitlines()]
    assert [number for number in numbers if number] == ["1", "2", "3", "4", "14"]
    assert "\n9 more lines are not shown; see --lines\n" in out


def test_other_forms_say_what_a_line_is(capsys: pytest.CaptureFixture[str]) -> None:
    tried = trial(output="text")
    output = (tried.output or b"").replace(
        f"{NONCE}\t3\t@end".encode(), b"hello\n" + f"{NONCE}\t3\t@end".encode()
    )
    assert dev.show(dataclasses.replace(tried, output=output), 100) == 0
    assert "\n   3  hello\n      text\n" in capsys.readouterr().out


def test_a_host_that_gave_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cover = coverage.HostCoverage("web1", "refused", "staprun is too old", "upgrade it")
    tried = dataclasses.replace(trial(), output=None, cover=cover)
    assert dev.show(tried, 100) == 3
    assert "tried: gave nothing on web1: staprun is too old; upgrade it\n" in capsys.readouterr().out


def test_a_script_that_does_not_compile(capsys: pytest.CaptureFixture[str]) -> None:
    built = model.Built(
        "6.12", "builder", "5.6", "tried", "failed", 1.0, "error at tried.stp:3:1\n\x1b[1m", ("web1",)
    )
    tried = dataclasses.replace(trial(), output=None, builds=[built])
    assert dev.show(tried, 100) == 2
    assert (
        "tried: does not compile for 6.12:\n\nerror at tried.stp:3:1\n\\x1b[1m\n" in capsys.readouterr().out
    )


@pytest.mark.parametrize("output", ["rows", "auto"])
def test_a_trial_is_read_from_its_run_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """Of a script that was not written for fleetdiag, the form of what it prints is found out."""
    tried = trial("waits\t1\thttpd\t1")
    probe = tried.probe
    if output == "auto":
        manifest = {
            "description": "A.",
            "question": "A?",
            "output": "auto",
            "cost": "low",
            "unmodified": True,
        }
        probe = catalog.probe_from_manifest("tried", manifest)
    sweep = request.new_sweep(
        now=datetime.now(UTC),
        version="1",
        probes=[probe],
        values={},
        window_s=5,
        hosts=["web1"],
        peers={},
        conditions={},
    )
    nonce = sweep.probes[0].nonce
    data = (tried.output or b"").replace(NONCE.encode(), nonce.encode())
    if output == "auto":
        table = b"PROCESS   CALLS\nhttpd        12\nsshd          3\n"
        lines = data.splitlines(keepends=True)
        data = b"".join([*lines[:2], table, lines[3].replace(b"\t4\t@end", b"\t3\t@end")])
    run_dir = write.create(tmp_path / "runs", sweep.to_json())
    write.write_host_bytes(run_dir, "web1", "tried.out.gz", gzip.compress(data))
    read = dev.read(run_dir, "web1")
    assert (read.output, read.nonce, read.cover.host) == (data, nonce, "web1")
    assert read.probe.output != "auto"
    lines, result = explain(read.probe, read.nonce, io.BytesIO(data))
    assert result.rejected_lines == 0
    dev.write_lines(lines, read)
    out = capsys.readouterr().out
    assert ("waits at 0.001 s: process=httpd" if output == "rows" else "process=httpd calls=12") in out


def in_folder(tried: dev.Trial, folder: Path) -> Any:
    return dataclasses.replace(tried.probe, folder=folder)


def test_every_record_of_the_session_itself_is_named() -> None:
    assert set(dev._CONTROLS) == set(protocol._ARITY)


def test_a_sample_is_recorded_under_its_fixed_mark(tmp_path: Path) -> None:
    tried = trial("waits\t1\thttpd\t1")
    path = dev.record(in_folder(tried, tmp_path), tried)
    assert path == tmp_path / "sample.out"
    assert path.read_bytes() == (tried.output or b"").replace(NONCE.encode(), folder_check.NONCE.encode())
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["sample.out"]


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (trial(), r"not recorded: .*/sample\.out:3: there is no row of table waits; "),
        (trial("waits\t1\thttpd\t-1"), r"not recorded: .*/sample\.out:3: time is negative; "),
        (
            trial(more=b"x" * (1 << 20)),
            r"/sample\.out: not recorded: \d+ bytes are too many for a sample; try",
        ),
    ],
)
def test_only_a_sample_that_check_accepts_is_recorded(tmp_path: Path, tried: dev.Trial, said: str) -> None:
    with pytest.raises(FleetdiagError, match=said):
        dev.record(in_folder(tried, tmp_path), tried)
    assert list(tmp_path.iterdir()) == []


def test_a_sample_that_cannot_be_written(tmp_path: Path) -> None:
    tried = trial("waits\t1\thttpd\t1")
    with pytest.raises(FleetdiagError, match=r"absent/sample\.out: No such file or directory; name a probe"):
        dev.record(in_folder(tried, tmp_path / "absent"), tried)
    with pytest.raises(FleetdiagError, match=r"has no folder to record into; make one: fleetdiag probes new"):
        dev.record(tried.probe, tried)
