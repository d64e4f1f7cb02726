# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of the site: a slow file behind two balancers, and a report that says which, where, and whose fault it is.

The lab here is one beside the others, on its own; the machines of the other lab only wait meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sweeps import SWEPT, coverage, left_behind, newest, report_of, rows

from fleetdiag.lab import boot, machines_data
from fleetdiag.lab.demos import site as demo_site
from fleetdiag.lab.model import Lab
from fleetdiag.lab.profiles import site

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif("FLEETDIAG_TEST_SITE" not in os.environ, reason="four more machines; make test-site"),
]
WEB = machines_data.SITE_WEB


@pytest.fixture(scope="module")
def site_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The profile `site`. FLEETDIAG_SITE_LAB: the XDG_STATE_HOME of one that runs, and is left so."""
    running = os.environ.get("FLEETDIAG_SITE_LAB")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", running or str(tmp_path_factory.mktemp("site")))
        try:
            yield boot.up(profile="site")
        finally:
            if not running:
                boot.down()


@pytest.fixture(scope="module")
def story(site_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the sweep."""
    runs = tmp_path_factory.mktemp("runs")
    assert demo_site.story(site_lab, "--runs-dir", str(runs)) == []
    return newest(runs)


@pytest.fixture(scope="module")
def report(story: Path) -> dict[str, Any]:
    return report_of(story)


def test_all_hosts_were_probed(report: dict[str, Any]) -> None:
    assert set(coverage(report)) == {*WEB, machines_data.SITE_NFS}
    assert {row["status"] for row in report["coverage"]} <= SWEPT


def test_the_report_says_which_file_which_web_hosts_and_whose_fault(report: dict[str, Any]) -> None:
    finding = next(finding for finding in report["findings"] if finding["kind"] == "sides")
    assert finding["host"] == machines_data.SITE_NFS
    assert f"for {', '.join(WEB)} takes" in finding["sentence"]
    assert "%) in its file system and on its disk; " in finding["sentence"]
    assert site.SLOW_FILE in finding["sentence"]
    assert "apache2" in finding["sentence"]
    assert finding["sentence"].split("; ")[0] in report["verdict"]


def test_the_time_is_spent_on_the_disk_and_not_on_the_way(report: dict[str, Any]) -> None:
    slow = {
        row["host"]: row
        for row in rows(report, "nfs_client", "requests_by_side")
        if row["operation"].startswith("READ") and row["mean"] > site.DISK_DELAY_MS / 1000 / 2
    }
    assert set(slow) == set(WEB)
    for values in slow.values():
        assert values["part4"] > values["mean"] / 2
        assert values["part4"] > 2 * (values["part1"] + values["part2"])


def test_httpd_keeps_the_file_open(report: dict[str, Any]) -> None:
    found = {row["host"] for row in rows(report, "slow_open") if row["path"] == site.SLOW_FILE}
    assert found == set(WEB)


def test_one_web_server_had_its_lower_share_on_both_balancers_and_no_request_failed(
    report: dict[str, Any],
) -> None:
    (told,) = report["traffic"]
    assert told["alarms"] == []
    servers = {server["server"]: server for server in told["servers"]}
    assert set(servers) == set(WEB)
    (lowered,) = (server for server in servers.values() if server["host"])
    weights = [(weight["before"], weight["during"], weight["after"]) for weight in lowered["weights"]]
    assert weights == [(100, 50, 100)] * len(machines_data.SITE_BALANCERS)
    before, during, _ = lowered["shares"]
    assert before == pytest.approx(1 / 2, abs=0.1)
    assert during == pytest.approx(1 / 3, abs=0.1)
    assert {server["failed"] for server in servers.values()} == {0}
    assert site.client_says()["failed"] == 0


def test_nothing_is_left(site_lab: Lab, story: Path) -> None:
    assert story.is_dir()
    assert {name: left_behind(site_lab, name) for name in (*WEB, machines_data.SITE_NFS)} == dict.fromkeys(
        (*WEB, machines_data.SITE_NFS), ""
    )
