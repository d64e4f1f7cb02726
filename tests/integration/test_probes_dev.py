# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes dev` on a real kernel: a probe as a newcomer writes it, from its scaffold to its sample."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import fleetdiag, left_behind

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("a minute and a half")]

UNIT = "fleetdiag-test-dev"
CALLER = "while :; do sleep 0.2; done"
START = f"systemd-run -q --collect --unit={UNIT} -p RuntimeMaxSec=600 sh -c {shlex.quote(CALLER)}"


@pytest.fixture
def caller(lab: Lab) -> Iterator[None]:
    """Two processes that make calls all the time: on a machine with nothing to do some windows have no row."""
    started = lab.ssh("web1", START)
    assert started.returncode == 0, started.stderr
    yield
    lab.ssh("web1", f"systemctl stop {UNIT}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new probe whose TODOs are written."""
    assert fleetdiag("probes", "new", "dev_calls", "--catalog", str(tmp_path / "mine")).returncode == 0
    folder = tmp_path / "mine" / "dev_calls"
    manifest, script = folder / "probe.yml", folder / "dev_calls.stp"
    text = manifest.read_text().replace('"TODO: which question does it answer?"', "Who calls most?")
    manifest.write_text(re.sub(r'"TODO: [^"]*"', "Calls of a process.", text))
    script.write_text(re.sub(r"// TODO: .*", "// Done.", script.read_text()))
    return folder


@pytest.mark.usefixtures("caller")
def test_a_new_probe_works_and_its_output_becomes_its_sample(lab: Lab, folder: Path, tmp_path: Path) -> None:
    where = ("-i", str(lab.inventory), "--host", "web1", "--runs-dir", str(tmp_path / "runs"))
    done = fleetdiag("probes", "dev", str(folder), *where, "--param", "top_n=3", "--record")
    assert done.returncode == 0, done.stdout + done.stderr
    sample = (folder / "sample.out").read_text().splitlines()
    rows = [line.split("\t") for line in sample if line.split("\t")[2] == "calls"]
    assert "sleep" in {row[4] for row in rows}
    assert len(rows) <= 4
    for row in rows:
        assert f"  …{'⇥'.join(row[1:])}\n" in done.stdout
        assert re.search(
            rf"\n +calls at [0-9.]+ s: process={re.escape(row[4])} calls={int(row[5]):,}\n", done.stdout
        )
    assert f"\ndev_calls on web1: {len(sample)} lines, {len(rows)} rows, 0 rejected\n" in done.stdout
    assert {line.split("\t")[0] for line in sample} == {"0123456789abcdef"}
    checked = fleetdiag("probes", "check", str(folder))
    assert (checked.returncode, checked.stdout) == (0, f"{folder}: no fault\n")
    assert left_behind(lab, "web1") == ""


@pytest.mark.usefixtures("caller")
def test_lines_that_are_rejected_say_why_and_are_not_recorded(lab: Lab, folder: Path, tmp_path: Path) -> None:
    """A duration cannot be negative: nothing that is seen in the script alone."""
    manifest, script = folder / "probe.yml", folder / "dev_calls.stp"
    manifest.write_text(
        manifest.read_text().replace(
            "type: int\n        role: m", "type: duration\n        unit: us\n        role: m"
        )
    )
    script.write_text(script.read_text().replace(", calls[process])", ", 0 - calls[process])"))
    before = (folder / "sample.out").read_bytes()
    where = ("-i", str(lab.inventory), "--host", "web1", "--runs-dir", str(tmp_path / "runs"))
    done = fleetdiag("probes", "dev", str(folder), *where, "--window", "2s", "--lines", "2", "--record")
    assert done.returncode == 2
    assert "\n      rejected: calls is negative\n" in done.stdout
    assert re.search(r"\ndev_calls on web1: \d+ lines, \d+ rows?, [1-9]\d* rejected\n", done.stdout)
    assert re.search(r"fleetdiag: not recorded: .*/sample\.out:\d+: calls is negative; ", done.stderr)
    assert (folder / "sample.out").read_bytes() == before


def test_a_script_that_does_not_compile_shows_what_systemtap_says(
    lab: Lab, folder: Path, tmp_path: Path
) -> None:
    script = folder / "dev_calls.stp"
    # Not a trace point that is none: SystemTap searches all headers of the kernel for that, for minutes.
    script.write_text(script.read_text().replace("execname()", "execnever()"))
    where = ("-i", str(lab.inventory), "--host", "web1", "--runs-dir", str(tmp_path / "runs"))
    done = fleetdiag("probes", "dev", str(folder), *where, "--record")
    assert done.returncode == 2
    kernel = lab.ssh("web1", "uname -r").stdout.strip()
    line = 1 + script.read_text().split("execnever")[0].count("\n")
    assert f"dev_calls: does not compile for {kernel}:\n" in done.stdout
    assert f"dev_calls.stp:{line}:" in done.stdout
    assert "Traceback" not in done.stderr
