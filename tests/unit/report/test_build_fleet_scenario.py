# SPDX-License-Identifier: GPL-3.0-or-later
"""Three hosts with a slow file, slow connects and a busy writer: each is the subject of a finding, and nobody else."""

from __future__ import annotations

from pathlib import Path

import yaml
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

PROBES = ["slow_open", "tcp_connect", "disktop"]
HOSTS = ["alpha", "beta", "gamma"]
FILE = "/srv/informe anual.csv"


def scenario(runs: Path, *, slow_files: str, slow_connects: str, writer: str) -> Builder:
    """A run directory of 30 s in which these hosts have what their names say."""
    manifests = {
        name: yaml.safe_load((catalog.shipped() / name / "probe.yml").read_text()) for name in PROBES
    }
    made = Builder(runs, hosts=HOSTS, probes=PROBES, manifests=manifests)
    made.build()
    made.window()
    for number, host in enumerate(HOSTS):
        files = [
            record("files", 4000 + n, "python3", 700 + n, 1_500_000, FILE.replace(" ", f"{n} "), 0)
            for n in range(5)
        ]
        files.append(record("files", 9000, "python3", 706, 3_200_000, FILE, 1))
        took = 85_000 if host == slow_connects else 2_000
        connects = [
            record("connections", 5000 * n, "curl", "10.77.0.9", 80, "connected", 2, 0, 2 * took, took + 300)
            for n in range(1, 6)
        ]
        written = (40 << 20) if host == writer else (20 + number) << 10
        writes = [
            record("transfers", 5000 * n, 0, 300, 1, "rsyslogd", "vda", 4096, written + 4096 * n)
            for n in range(1, 7)
        ]
        made.whole(
            host,
            {
                "slow_open": made.out(*(files if host == slow_files else [])),
                "tcp_connect": made.out(*connects),
                "disktop": made.out(*writes),
            },
        )
    return made


def test_each_planted_host_is_the_subject_of_a_finding(tmp_path: Path) -> None:
    made = scenario(tmp_path, slow_files="alpha", slow_connects="beta", writer="gamma")
    report = reports.build(made.path)
    said = {(finding.probe, finding.host): finding.sentence for finding in report.findings}
    assert sorted(said) == [("disktop", "gamma"), ("slow_open", "alpha"), ("tcp_connect", "beta")]
    assert said["slow_open", "alpha"].startswith(
        f"alpha: 6 files open longer than 1 s, the longest 3.2 s: {FILE} (python3); the other 2 hosts: none"
    )
    assert said["tcp_connect", "beta"].startswith(
        "beta: mean time to connect 85 ms (10 attempts to connect only); the other 2 hosts: 2 ms"
    )
    assert "bytes written" in said["disktop", "gamma"]
    assert report.findings[-1].probe == "disktop", "what is merely more comes last"
    assert not report.verdict.startswith("gamma")


def test_nothing_is_planted_and_nothing_is_found(tmp_path: Path) -> None:
    made = scenario(tmp_path, slow_files="", slow_connects="", writer="")
    report = reports.build(made.path)
    assert [finding.sentence for finding in report.findings] == []
    assert report.verdict == "no host is different; 3 of 3 hosts probed"
