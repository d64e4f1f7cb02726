# SPDX-License-Identifier: GPL-3.0-or-later
"""The article's own scripts, as docs/article.md has them: run without the debuginfo that they want."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import ROOT, SWEPT, coverage, newest, report_of, sweep

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("a minute and a half")]

HOST = "web1"
UNITS = {
    "fleetdiag-test-slow": "while :; do exec 3</root/lectura_lenta.html; sleep 2; exec 3<&-; done",
    "fleetdiag-test-net": "while :; do curl -s -o /dev/null http://127.0.0.1:1/; sleep 1; done",
}
SCRIPT = re.compile(r"^`(\w+)\.stp`:\n\n```stap\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def _workload(lab: Lab) -> Iterator[None]:
    """A file that is open for two seconds again and again, and a client that asks a port nobody listens on."""
    start = "echo despacio >/root/lectura_lenta.html\n" + "\n".join(
        f"systemd-run -q --collect --unit={unit} -p RuntimeMaxSec=900 sh -c {shlex.quote(script)}"
        for unit, script in UNITS.items()
    )
    started = lab.ssh(HOST, start)
    assert started.returncode == 0, started.stderr
    yield
    lab.ssh(HOST, f"systemctl stop {' '.join(UNITS)}; rm -f /root/lectura_lenta.html")


@pytest.mark.usefixtures("_workload")
def test_the_articles_scripts_print_what_the_article_shows(lab: Lab, tmp_path: Path) -> None:
    scripts = dict(SCRIPT.findall((ROOT / "collection" / "docs" / "article.md").read_text()))
    assert sorted(scripts) == ["nettop_2009", "slow_open_2009"]
    asked = []
    for name, text in scripts.items():
        path = tmp_path / f"{name}.stp"
        path.write_text(text)
        asked += ["--probe", str(path)]
    done = sweep(lab, tmp_path / "runs", "-l", HOST, "--window", "20s", *asked)
    run = newest(tmp_path / "runs")
    assert coverage(report_of(run))[HOST]["status"] in SWEPT, done.stdout
    (build,) = read.open_run(run).builds().values()
    assert {name: module.types for name, module in build.probes.items()} == {
        "smoke": "btf",
        "stp_nettop_2009": "btf",
        "stp_slow_open_2009": "btf",
    }
    said = (run / "report.txt").read_text()
    assert re.search(r"\bcurl\b", said), said
    assert re.search(r"\blo\b", said), said
    assert re.search(r"\b[23]\.\d{6} /root/lectura_lenta\.html", said), said
    assert "file_close_fd" in said  # what is said of the functions that a script probes
