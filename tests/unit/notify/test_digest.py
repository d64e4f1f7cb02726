# SPDX-License-Identifier: GPL-3.0-or-later
"""Digest, metrics and index page of made-up runs, with names that hosts chose to do harm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.config import Config, Heartbeat, NamedSweep, Receiver
from fleetdiag.notify import digest, summary, textfile
from fleetdiag.pages import index

NOW = datetime.fromisoformat("2026-11-29T12:00:00+00:00").timestamp()
EVIL = "<script>alert(1)</script>\"'><img src=x>\x1b[2J\u202e@everyone"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Six slots: fine, findings (with news), incomplete, skipped, missed, fine."""
    runs = tmp_path / "runs"
    sweep = NamedSweep("web", {"every": "1h", "runs_dir": str(runs), "notify": ["ops"]})
    fine = {
        "coverage": [{"host": "web1", "status": "probed"}, {"host": EVIL, "status": "degraded"}],
        "findings": [],
    }
    bad = {**fine, "findings": [{"severity": "critical"}]}
    incomplete = {"coverage": [{"host": "web1", "status": "unreachable"}], "findings": []}
    for hour, report in ((5, fine), (6, bad), (7, incomplete), (10, fine)):
        run_id = f"20261129_{hour:02d}0000_aaaa"
        run = write.create(
            runs, {"id": run_id, "name": "web", "slot": f"2026-11-29T{hour:02d}:00:00Z", "hosts": []}
        )
        write.write_json(run, "report.json", report)
        write.write_json(run, "news.json", news(run_id))
    write.create(runs, {"id": "20261129_100100_bbbb", "name": "other", "hosts": []})
    slots.record(
        runs,
        "web",
        "2026-11-29T08:00:00Z",
        "skipped",
        "the sweep before was still running (62 min)",
        datetime.now(UTC),
    )
    slots.record(runs, "web", "2026-11-29T09:00:00Z", "missed", "off", datetime.now(UTC))
    return Config(sweeps={"web": sweep}, heartbeat=Heartbeat(textfile=tmp_path / "x.prom"))


def news(run_id: str) -> dict[str, Any]:
    finding = {
        "fingerprint": "f1",
        "severity": "critical",
        "of": "host",
        "who": "web1",
        "probe": "slow_open",
        "table": "files",
        "measure": "files",
        "ratio": 9.0,
        "sentence": f"web1: {EVIL}",
        "since": run_id,
    }
    return {
        "sweep": run_id,
        "open": [{**finding, "state": "new"}, {**finding, "state": "suspect"}, 3],
        "transitions": [
            {**finding, "transition": "new", "tell": True},
            {"transition": "gone", "tell": False},
        ],
        "suspects": [
            {
                "probe": "block_latency",
                "table": "vda",
                "measure": "p99",
                "of": "host",
                "who": "web1",
                "ratio": 2.3,
            }
        ],
        "coverage": {"unknown": ["web7"]},
    }


def test_the_summary_knows_how_each_slot_ended(config: Config) -> None:
    found = summary.of(config.sweeps["web"], NOW)
    assert [mark.status for mark in found.marks] == [
        "fine",
        "findings",
        "incomplete",
        "skipped",
        "missed",
        "fine",
    ]
    assert len(found.open()) == 1
    assert found.following == NOW + 3600


def test_the_digest(config: Config) -> None:
    lines = digest.body(config, NOW).splitlines()
    assert lines[0] == "fleetdiag, week 48: web 4 of 6 (1 incomplete, 1 skipped, 1 missed)"
    assert lines[1] == "open     1 critical"
    assert "since 20261129_100000_aaaa" in lines[2]
    assert "news     4 new, 4 gone; not told: 4" in lines
    assert "watch    web: web1 block_latency.vda.p99, 2.3 times as usual (not told yet)" in lines
    assert "unseen   web: web7" in lines
    assert "skipped  web 2026-11-29T08:00:00Z: the sweep before was still running (62 min)" in lines
    assert all(line.isprintable() for line in lines)


def test_the_digest_is_sent_once_a_week(config: Config, tmp_path: Path) -> None:
    hook = tmp_path / "hook.py"
    hook.write_text(f"import sys\nopen({str(tmp_path / 'got')!r}, 'a').write(sys.stdin.read() + '\\n')\n")
    ops = Receiver("ops", "command", [sys.executable, str(hook)], digest="Mon 08:00")
    told = Config(sweeps=config.sweeps, receivers={"ops": ops})
    runs = tmp_path / "runs"

    def got() -> list[str]:
        return (tmp_path / "got").read_text().splitlines() if (tmp_path / "got").exists() else []

    digest.send_due(told, runs, NOW)  # a receiver that is new hears of the week that it sees
    assert got() == []
    for _ in range(3):
        digest.send_due(told, runs, NOW + 86_400)
    (line,) = got()
    assert (
        json.loads(line)["subject"]
        == "[fleetdiag digest] week 49: web 4 of 6 (1 incomplete, 1 skipped, 1 missed)"
    )
    digest.send_due(told, runs, NOW + 8 * 86_400)
    assert len(got()) == 2


def test_when_a_digest_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 11, 30, 12, 0).timestamp()  # a Monday
    assert datetime.fromtimestamp(digest.latest("Mon 08:00", noon)) == datetime(2026, 11, 30, 8)
    assert datetime.fromtimestamp(digest.latest("Mon 13:00", noon)) == datetime(2026, 11, 23, 13)
    assert datetime.fromtimestamp(digest.latest("Sun 08:00", noon)) == datetime(2026, 11, 29, 8)


# --- metrics ---


def test_the_textfile_is_openmetrics(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    textfile.write(config, path, NOW)
    assert path.stat().st_mode & 0o777 == 0o644  # the collector is another user
    families = {family.name: family for family in text_string_to_metric_families(path.read_text())}
    assert set(families) == set(textfile.FAMILIES)
    slots_ = {sample.labels["status"]: sample.value for sample in families["fleetdiag_sweep_slots"].samples}
    assert slots_ == {"fine": 2, "findings": 1, "incomplete": 1, "skipped": 1, "missed": 1}
    open_ = {
        sample.labels["severity"]: sample.value
        for sample in families["fleetdiag_sweep_open_findings"].samples
    }
    assert open_ == {"critical": 1, "warning": 0, "info": 0}


COLLECTION = Path(__file__).resolve().parents[3] / "collection"


@pytest.mark.parametrize("name", ["fleetdiag.rules.yml", "fleetdiag.dashboard.json"])
def test_rules_and_dashboard_name_metrics_that_are_written(name: str) -> None:
    text = (COLLECTION / "docs" / "monitoring" / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    named = set(re.findall(r"\bfleetdiag_[a-z_]+", text))
    assert named
    assert named <= set(textfile.FAMILIES)


# --- the page ---


class Page(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.classes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.classes += [value or "" for name, value in attrs if name == "class"]


def test_the_page_is_static_offline_and_takes_no_markup_of_hosts(config: Config, tmp_path: Path) -> None:
    index.write(config, tmp_path / "runs", NOW)
    path = tmp_path / "runs" / "index.html"
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img", "iframe", "link"} & set(page.tags)
    assert all(re.fullmatch(r"\d{8}_\d{6}_[0-9a-f]{4}/report\.html", link) for link in page.links)
    assert all((tmp_path / "runs" / link).parent.is_dir() for link in page.links)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    checksum = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{checksum}'; base-uri 'none'; form-action 'none'" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "1 finding open, 1 critical" in text
    for status in ("fine", "findings", "incomplete", "skipped", "missed", "suspect"):
        assert status in page.classes
    assert "still running (62 min)" in text


def test_the_page_of_nothing() -> None:
    text = index.render([], NOW)
    assert "nothing is open" in text
    assert "The configuration names no sweep." in text
