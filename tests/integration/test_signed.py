# SPDX-License-Identifier: GPL-3.0-or-later
"""A signed module on a real kernel: its name is that of no sweep, and its nonce comes through `/proc`.

The lab's kernels load it though they do not know its key: none of them enforces signatures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import ENVIRONMENT, ROOT, SWEPT, coverage, left_behind, newest, report_of, rows, wait_until

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("a minute")]

HOST = "web2"
MODULE = "fd_00000000_000000_0000_fresh"
NONCE = f"/proc/systemtap/{MODULE}/nonce"
#: All that somebody who is not root can read of the processes, and of the units.
READABLE = (
    "runuser -u nobody -- sh -c 'cat /proc/[0-9]*/cmdline; systemctl cat \"fd-*\"' 2>/dev/null | tr '\\0' ' '"
)


@pytest.fixture
def keys(lab: Lab) -> Iterator[dict[str, str]]:
    """What says to builders which key they sign with; it is on the builder."""
    folder = lab.ssh("builder", "mktemp -d").stdout.strip()
    made = lab.ssh(
        "builder",
        f"cd {folder} && openssl req -new -x509 -newkey rsa:2048 -nodes -subj /CN=lab -days 2"
        " -keyout module.key -out module.pem",
    )
    assert made.returncode == 0, made.stderr
    yield {"builder_sign_key": f"{folder}/module.key", "builder_sign_cert": f"{folder}/module.pem"}
    lab.ssh("builder", f"rm -r {folder}")


def test_a_signed_module_samples_under_its_one_name_with_a_nonce_nobody_can_read(
    lab: Lab, never_built: Path, tmp_path: Path, keys: dict[str, str]
) -> None:
    runs = tmp_path / "runs"
    command = [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)),
        *(
            "-l",
            HOST,
            "--window",
            "15s",
            "--catalog",
            str(never_built),
            "--probe",
            "fresh",
            "-e",
            json.dumps(keys),
        ),
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **pipes) as sweeping:
        wait_until(lambda: bool(list(runs.glob(f"*/hosts/{HOST}/arm.json"))), "the host is armed", 300)
        loaded = lab.ssh(HOST, "cat /proc/modules").stdout
        mode = lab.ssh(HOST, f"stat -c '%u %a' {NONCE}").stdout.split()
        readable = lab.ssh(HOST, READABLE).stdout
        said, _ = sweeping.communicate(timeout=600)
    run = newest(runs)
    report = report_of(run)
    assert coverage(report)[HOST]["status"] in SWEPT, said
    assert rows(report, "fresh", host=HOST)

    assert [line.split()[0] for line in loaded.splitlines() if line.startswith("fd_")] == [MODULE]
    assert mode == ["0", "200"]
    nonce = str(json.loads((run / "sweep.json").read_text())["probes"][0]["nonce"])
    assert "stapio" in readable
    assert nonce not in readable
    assert left_behind(lab, HOST) == ""
