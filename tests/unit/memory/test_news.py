# SPDX-License-Identifier: GPL-3.0-or-later
"""What sweeps of one name tell of each other, through the real report."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from nights import FIRST, HOSTS, KERNEL, Nights, run_id, told

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import decisions, news_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_json, publish, registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history

MORE = dict.fromkeys(HOSTS, 190)


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path / "runs")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine usual nights, made once."""
    made = Nights(tmp_path_factory.mktemp("nine") / "runs")
    made.usual(9)
    return made.runs


@pytest.fixture
def nine(once: Path, tmp_path: Path) -> Nights:
    shutil.copytree(once, tmp_path / "runs")
    return Nights(tmp_path / "runs", number=9)


def test_a_report_leaves_its_figures_for_later_sweeps(nights: Nights) -> None:
    nights.sweep(dict.fromkeys(HOSTS, 10))
    data = json.loads((nights.runs / run_id(0) / history.FIGURES).read_text())
    assert (data["format"], data["name"], data["hosts"]) == (2, "nightly", HOSTS)
    assert (data["peers"], data["of"], data["kernels"]) == (["web"] * 6, {"web": 6}, [KERNEL] * 6)
    (probe,) = data["probes"]
    assert (probe["probe"], len(probe["hash"]), probe["sampled_s"]) == ("slow_open", 12, [30.0] * 6)
    assert probe["tables"]["slow_files"]["files"]["value"] == [10.0] * 6


def test_a_host_that_changes_is_told_once_named_with_the_last_normal_sweep_and_gone_after_two(
    nine: Nights,
) -> None:
    assert told(nine.sweep({"web3": 190})) == []  # nearly twice as much: no finding among the hosts
    (watched,) = nine.sweep({"web3": 190}).news["watched"]
    assert (watched["who"], len(watched["scores"])) == ("web3", 2)
    report = nine.sweep({"web3": 190})
    assert told(report) == [("new", "web3")]
    (finding,) = report.findings
    assert (finding.kind, finding.severity, finding.host) == ("changed", "warning", "web3")
    assert "beside its peers usually" in finding.sentence
    assert "Last normal: 2026-11-09 01:00 UTC" in finding.sentence
    assert (finding.since, finding.last_normal) == (run_id(9), run_id(8))
    assert (len(finding.fingerprint), finding.state) == (12, "new")
    assert report.verdict.startswith("web3: ")
    assert [told(nine.sweep({"web3": 190})), told(nine.sweep()), told(nine.sweep())] == [
        [],
        [],
        [("gone", "web3")],
    ]


def test_one_spike_is_never_told(nine: Nights) -> None:
    reports_ = [nine.sweep({"web3": 190}), *(nine.sweep() for _ in range(5))]
    assert [told(report) for report in reports_] == [[]] * 6
    assert reports_[-1].news["watched"] == []


def test_while_it_learns_it_says_so(nights: Nights) -> None:
    assert nights.sweep().news["learning"] == {"have": 0, "need": 8}
    nights.usual(7)
    assert nights.sweep().news["learning"] is None


def test_shards_are_one_sweep_with_one_memory(nine: Nights) -> None:
    assert told(nine.sweep({"web3": 900}, shards=2)) == [("new", "web3")]
    assert told(nine.sweep({"web3": 900}, shards=3)) == []
    assert told(nine.sweep(shards=2)) == []
    assert told(nine.sweep()) == [("gone", "web3")]


def test_what_all_hosts_have_more_of_is_one_finding_of_the_set(nine: Nights) -> None:
    found = [nine.sweep(MORE) for _ in range(3)]
    assert [told(report) for report in found] == [[], [], [("new", "web")]]
    assert [(finding.kind, finding.host) for finding in found[-1].findings] == [("set", "web")]
    assert "in the middle of 6 hosts" in found[-1].findings[0].sentence


def test_a_host_against_its_peers_has_one_fingerprint_with_its_past(nine: Nights) -> None:
    first = nine.sweep({"web3": 900})
    assert told(first) == [("new", "web3")]
    (one,) = {finding.fingerprint for finding in first.findings}
    for _ in range(3):
        report = nine.sweep({"web3": 900})
        assert told(report) == []
        assert {finding.fingerprint for finding in report.findings} == {one}
    assert report.news["open"][0]["last_normal"] == run_id(8)


def test_where_sweeps_are_frequent_a_finding_needs_a_second_one(tmp_path: Path) -> None:
    hourly = Nights(tmp_path, memory={"per_week": 168})
    hourly.usual(2)
    assert [told(hourly.sweep({"web3": 600})), told(hourly.sweep()), told(hourly.sweep({"web3": 600}))] == [
        [],
        [],
        [("new", "web3")],
    ]


# --- what is not covered ---


def test_a_host_that_is_unreachable_is_unknown_never_gone(nine: Nights) -> None:
    nine.sweep({"web3": 900})
    for _ in range(4):
        report = nine.sweep(unreachable=("web3",))
        assert told(report) == []
        assert report.news["open"][0]["state"] == "unknown"
        assert report.news["coverage"]["unknown"] == ["web3"]
    assert told(nine.sweep({"web3": 900})) == []


def test_with_half_the_hosts_missing_nothing_is_said_of_the_set(nine: Nights) -> None:
    gone = tuple(HOSTS[:4])
    assert [told(nine.sweep(MORE, unreachable=gone)) for _ in range(5)] == [[]] * 5


def test_a_host_that_left_is_closed_and_a_new_one_is_learning(nine: Nights) -> None:
    nine.sweep({"web3": 900})
    report = nine.sweep(hosts=[*HOSTS[:2], *HOSTS[3:], "web7"])
    assert [(item["transition"], item["tell"]) for item in report.news["transitions"]] == [("left", False)]
    assert report.news["open"] == []


# --- what is another series ---


def test_another_script_is_another_series(nine: Nights) -> None:
    for _ in range(3):
        nine.sweep({"web3": 190})
    probes = json.loads((nine.runs / run_id(8) / "sweep.json").read_text())["probes"]
    other = [{**probes[0], "hash": "0" * 12}]
    report = nine.sweep({"web3": 190}, probes=other)
    assert report.news["learning"] == {"have": 0, "need": 8}
    assert told(report) == []
    assert [item["transition"] for item in report.news["transitions"]] == ["superseded"]


def test_another_name_is_another_series(nine: Nights) -> None:
    other = Nights(nine.runs, name="hourly", number=20)
    assert other.sweep().news["learning"] == {"have": 0, "need": 8}


def test_a_kernel_change_is_no_reset(nine: Nights) -> None:
    for _ in range(3):
        report = nine.sweep({"web3": 190}, kernels={"web3": "6.12.99-amd64"})
    assert told(report) == [("new", "web3")]
    assert "since then the kernel changed: 6.12.90-amd64 to 6.12.99-amd64" in report.findings[0].sentence


# --- decisions ---


def test_what_is_accepted_is_the_new_normal(nine: Nights) -> None:
    for _ in range(3):
        report = nine.sweep({"web3": 190})
    (record,) = news_file.records_of(report.news)
    moment = nights_moment(nine.number - 1)
    decisions.accept(nine.runs, record.fingerprint, "me", moment)
    assert told(nine.sweep({"web3": 190})) == [("new_normal", "web3")]
    assert [told(nine.sweep({"web3": 190})) for _ in range(12)] == [[]] * 12
    # What was normal once is now a change, and told as one.
    after = [told(nine.sweep()) for _ in range(4)]
    assert ("new", "web3") in [item for one in after for item in one]


def nights_moment(number: int) -> Any:
    return FIRST + timedelta(days=number, hours=1)


# --- the same run directory, the same report ---


def test_the_same_run_directory_gives_the_same_report_whatever_comes_after(nine: Nights) -> None:
    for _ in range(3):
        before = nine.sweep({"web3": 190})
    path = nine.runs / run_id(11)
    kept = {item.name: item.read_bytes() for item in path.glob("*.json")}
    nine.usual(2)
    shutil.rmtree(nine.runs / run_id(4))
    again = reports.build(path, generated="2026-11-23T08:01:00+00:00")
    history.keep(path, again.figures, again.news)
    assert again.findings == before.findings
    assert {item.name: item.read_bytes() for item in path.glob("*.json")} == kept
    elsewhere = nine.runs / "elsewhere" / "copy"
    shutil.copytree(path, elsewhere)
    assert reports.build(elsewhere).findings == before.findings


def test_only_earlier_sweeps_count(nine: Nights) -> None:
    early = Nights(nine.runs, number=-1)
    assert early.sweep(MORE).news["previous"] == ""


def test_none_are_asked_for(nine: Nights) -> None:
    report = nine.sweep(MORE, baseline=0)
    assert report.news == {}
    assert not (nine.runs / run_id(9) / history.NEWS).exists()


@pytest.mark.parametrize("file", [history.FIGURES, history.NEWS])
@pytest.mark.parametrize("how", ["missing", "empty", "half", "binary", "link", "list"])
def test_a_damaged_run_among_many_is_left_out(nine: Nights, file: str, how: str) -> None:
    nine.sweep()
    path = nine.runs / run_id(9) / file
    whole = path.read_bytes()
    path.unlink()
    if how == "link":
        path.symlink_to("/etc/passwd")
    elif how != "missing":
        path.write_bytes(
            {"empty": b"", "half": whole[: len(whole) // 2], "binary": os.urandom(99), "list": b"[]"}[how]
        )
    for _ in range(3):
        report = nine.sweep({"web3": 190})
    assert told(report) == [("new", "web3")]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"format": 1, "open": 5, "watched": [{}], "suspects": 7, "accepted": [3], "findings": [{}], "aliases": 3}',
        b'{"format": 1, "transitions": [5, {}], "open": [{"state": "new"}], "findings": [{"kind": "set"}]}',
    ],
)
def test_a_damaged_news_file_says_nothing(nights: Nights, data: bytes) -> None:
    nights.sweep()
    path = nights.runs / run_id(0)
    (path / history.NEWS).write_bytes(data)
    assert reports.build(path).findings == []
    nights.sweep()


def test_the_files_are_private(nights: Nights) -> None:
    nights.sweep()
    for name in (history.FIGURES, history.NEWS):
        assert (nights.runs / run_id(0) / name).stat().st_mode & 0o077 == 0


def test_two_reports_at_once_write_the_news_once(nights: Nights) -> None:
    nights.usual(3)
    report = nights.sweep(write=False)
    path = nights.runs / run_id(3)
    publish.write(path, report)
    first = (path / history.NEWS).read_bytes()
    publish.write(path, reports.build(path))
    assert (path / history.NEWS).read_bytes() == first


def test_the_headline() -> None:
    item = {"tell": True, "transition": "new", "severity": "warning", "sentence": "web3: 14 files"}
    gone = {**item, "transition": "gone", "severity": "info"}
    assert news_file.headline({"transitions": [gone, item]}) == "1 gone, 1 new: web3: 14 files"
    assert news_file.headline({"transitions": [{**item, "tell": False}]}) == ""


# --- in the report ---


def test_the_report_says_since_when_and_links_the_last_normal_sweep(nine: Nights) -> None:
    nine.sweep({"web3": 900})
    report = nine.sweep({"web3": 900})
    page = registry.chosen(["html"])[0]
    assert page.text is not None
    html = page.text(report)
    assert f'<a href="../{run_id(8)}/report.html">The last normal sweep: 2026-11-09 01:00 UTC</a>' in html
    assert "2026-11-10 01:00 UTC (2 sweeps)" in html
    assert "▁▁▁▁▁▁▁▁▁██" in html
    text = registry.chosen(["txt"])[0].text
    assert text is not None
    shown = " ".join(text(report).split())
    assert "since 2026-11-10 01:00 UTC (2 sweeps); last normal 2026-11-09 01:00 UTC" in shown


def test_the_json_report_has_it_and_keeps_to_its_schema(nine: Nights) -> None:
    report = nine.sweep({"web3": 900})
    data = json.loads(as_json.render(report))
    schema = json.loads(Path(reports.__file__).with_name("report.schema.json").read_text())
    jsonschema.validate(data, schema)
    (finding,) = data["findings"]
    assert (data["schema"], data["runs"][0]["name"]) == ("fleetdiag.report/3", "nightly")
    assert (finding["state"], finding["since"], finding["last_normal"]) == ("new", run_id(9), run_id(8))
