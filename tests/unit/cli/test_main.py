# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command does when nothing is wrong with its input, without any host that can be probed."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import command_line, environment

from fleetdiag.run import playbook


def test_version_is_the_collections(fleetdiag: Callable[..., Any]) -> None:
    galaxy = (Path(__file__).resolve().parents[3] / "collection" / "galaxy.yml").read_text(encoding="utf-8")
    version = re.search(r"^version: (\S+)$", galaxy, re.MULTILINE)
    assert version is not None
    assert fleetdiag("--version").stdout == f"fleetdiag {version[1]}\n"


def test_output_into_a_closed_pipe_is_no_error(home: Path) -> None:
    process = subprocess.Popen(
        command_line("probes"),
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_host_that_does_not_answer_is_in_the_report(fleetdiag: Callable[..., Any], home: Path) -> None:
    asked = "sweep -i hosts.yml -l web --probe slow_open --window 5s --baseline 7"
    result = fleetdiag(*asked.split())
    assert result.returncode == 3, result.stderr
    assert "web1" in result.stdout
    assert "unreachable" in result.stdout
    assert "preflight: web1: unreachable" in result.stderr
    (run_dir,) = (home / "state" / "fleetdiag" / "runs").glob("*_*")
    assert str(run_dir / "report.html") in result.stdout
    assert json.loads((run_dir / "report.json").read_text(encoding="utf-8"))
    assert json.loads((run_dir / "sweep.json").read_text(encoding="utf-8"))["baseline"] == 7
    # Nothing of ansible-runner stays behind, and nobody else can read what does: the controller's key, the run.
    state = home / "state" / "fleetdiag"
    assert sorted(path.name for path in state.iterdir()) == ["keys", "runs"]
    assert all(
        path.stat().st_mode & 0o077 == 0 for path in [*(state / "keys").rglob("*"), *run_dir.rglob("*")]
    )

    again = fleetdiag("report", str(run_dir))
    assert again.returncode == 3
    assert again.stdout == result.stdout


def test_the_report_is_made_once_and_so_not_by_the_callback_too() -> None:
    """That of a thousand hosts takes minutes."""
    assert playbook.environment()["FLEETDIAG_REPORT_MAKE"] == "0"


def test_interrupt_still_makes_the_report(home: Path) -> None:
    """A host that takes the connection and says nothing holds the sweep for as long as ssh waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (home / "silent.yml").write_text(
            f"all: {{hosts: {{web1: {{ansible_host: 127.0.0.1, ansible_port: {port}}}}}}}\n", encoding="utf-8"
        )
        process = subprocess.Popen(
            command_line("sweep", "-i", "silent.yml", "--probe", "slow_open"),
            cwd=home,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(60)
        connection, _ = silent.accept()  # ansible-playbook is at work on the host
        with connection:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "web1" in output
    (run_dir,) = (home / "state" / "fleetdiag" / "runs").glob("*_*")
    assert (run_dir / "report.html").is_file()
