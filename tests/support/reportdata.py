# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports with findings and comparisons in them, for the tests of the renderers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Comparison, Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import model

if TYPE_CHECKING:
    from pathlib import Path

SENTENCE = (
    "web3: 14 files open longer than 1000 ms; the other 2 hosts: 0."
    " Longest 8.47 s: /var/www/html/lectura_lenta.html (httpd)"
)
TRACE = (
    "     0 ls(31789): ->ext4_readdir\n"
    "    31 ls(31789):  ->ext4_get_inode_loc\n"
    "    52 ls(31789):  <-ext4_get_inode_loc\n"
    "    88 ls(31789): <-ext4_readdir\n"
)


def finding(sentence: str = SENTENCE, severity: str = "critical", host: str = "web3") -> Finding:
    key = ("httpd", "/var/www/html/lectura_lenta.html")
    return Finding(
        severity=severity,  # type: ignore[arg-type]
        kind="compare",
        host=host,
        probe="slow_open",
        table="slow_files",
        measure="opens",
        sentence=sentence,
        value=14,
        unit="1",
        type="int",
        peers=2,
        peer_set="web",
        expected=0,
        spread=0.5,
        score=28.0,
        chance=0.0001,
        mark="late 3.2 s",
        rows=((host, key, (8.471285, 14)),),
    )


def comparison() -> Comparison:
    return Comparison(
        probe="slow_open",
        table="slow_files",
        measure="opens",
        label="opens",
        peer_set="web",
        values={"web3": 14, "web1": 0, "web2": 0},
        scores={"web3": 28.0, "web1": 0.0, "web2": 0.0},
        unit="1",
        type="int",
        more_is="worse",
        median=0.0,
        spread=0.5,
        found=("web3",),
    )


def sweep(
    runs: Path, *, probes: tuple[str, ...] = ("slow_open", "nettop", "fs_calltrace", "notes")
) -> Builder:
    """Three hosts; web3 is slow, and was armed late."""
    made = Builder(runs, ["web1", "web2", "web3"], list(probes))
    made.window()
    made.build()
    for number, host in enumerate(made.hosts, 1):
        slow = number == 3
        files = [record("slow_files", 9, "httpd", "/var/www/html/lectura_lenta.html", 8_471_285, 14)] * slow
        traffic = [
            record("traffic", 5000 * n + 20, "sshd", "ens3", 10 * n, 3000 * number) for n in range(1, 7)
        ]
        outputs = {
            "slow_open": made.out(*files, late_s=3.2 * slow),
            "nettop": made.out(*traffic),
            "fs_calltrace": made.out(payload=TRACE),
            "notes": made.out(payload="".join(f"line {n} of {host}\n" for n in range(30))),
        }
        made.whole(host, {name: outputs[name] for name in probes})
    return made


def found(made: Builder, *findings: Finding) -> model.Report:
    """The report of a run directory, with these findings instead of its own."""
    report = reports.build(made.path, generated="now")
    report.findings = list(findings) or [finding(), finding("web1: a remark", "info", "web1")]
    report.comparisons = [comparison()]
    report.peers = dict.fromkeys(made.hosts, "web")
    return report


def hostile(runs: Path) -> model.Report:
    """Every text an attack, also those of findings."""
    report = reports.build(rundirs.hostile(runs).path, generated="now")
    report.findings = [finding(f"{text}: 14 {text} ({text})", host="web1") for text in rundirs.HOSTILE]
    report.peers = dict.fromkeys(rundirs.HOSTILE, rundirs.HOSTILE[0])
    return report
