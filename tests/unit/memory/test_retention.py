# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nights import FIRST, Nights, run_id

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import retention
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory.retention import Keep
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import names, read, write

FEW = Keep(last=2, daily=0, weekly=0, raw_s=0)


def made(runs: Path, *moments: datetime, name: str = "nightly") -> list[str]:
    """Make runs that have nothing but their names."""
    ids = [f"{moment:%Y%m%d_%H%M%S}_ab12" for moment in moments]
    for run in ids:
        write.create(runs, {"id": run, "name": name, "hosts": ["web1"]})
    return ids


def nightly(runs: Path, many: int) -> list[str]:
    return made(runs, *(FIRST + timedelta(days=day) for day in range(many)))


def left(runs: Path) -> list[str]:
    return sorted(item.name for item in runs.iterdir() if names.is_id(item.name))


NOW = FIRST + timedelta(days=400)


def test_the_last_of_each_name_stay(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 4)
    other = made(tmp_path, FIRST + timedelta(hours=1), name="hourly")
    assert retention.prune(tmp_path, FEW, NOW) == [f"{ids[0]}: removed", f"{ids[1]}: removed"]
    assert left(tmp_path) == sorted([*ids[2:], *other])


def test_the_last_of_days_and_weeks_stay(tmp_path: Path) -> None:
    hours = [FIRST + timedelta(hours=6 * number) for number in range(4 * 30)]
    made(tmp_path, *hours)
    retention.prune(tmp_path, Keep(last=1, daily=3, weekly=3, raw_s=0), NOW)
    days = [f"{moment:%m%d_%H}" for moment in map(_moment, left(tmp_path))]
    assert days == ["1122_19", "1128_19", "1129_19", "1130_19"]


def _moment(run: str) -> datetime:
    return datetime.strptime(run[:15], "%Y%m%d_%H%M%S")


def test_nothing_is_removed_when_it_is_only_asked(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 4)
    assert len(retention.prune(tmp_path, FEW, NOW, dry=True)) == 2
    assert left(tmp_path) == ids


def test_what_is_kept_by_hand_stays(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 4)
    retention.pin(tmp_path / ids[0], "the outage")
    retention.prune(tmp_path, FEW, NOW)
    assert left(tmp_path) == [ids[0], *ids[2:]]
    retention.unpin(tmp_path / ids[0])
    retention.prune(tmp_path, FEW, NOW)
    assert left(tmp_path) == ids[2:]


def test_what_is_not_collected_stays(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 3)
    session = {"verdict": "ok", "sessions": {"slow_open": {"status": "armed"}}}
    write.write_host(tmp_path / ids[0], "web1", "arm", session)
    assert retention.prune(tmp_path, FEW, NOW) == []
    assert "not collected yet" in retention.why_not(tmp_path / ids[0], {})


def test_the_evidence_of_an_open_finding_stays(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(2)
    for _ in range(5):
        nights.sweep({"web3": 900})
    retention.prune(tmp_path, FEW, NOW)
    assert left(tmp_path) == [run_id(number) for number in (1, 2, 5, 6)]


def test_raw_data_goes_earlier_than_figures(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.usual(3)
    path = tmp_path / run_id(0)
    lines = retention.prune(tmp_path, Keep(raw_s=1.5 * 86_400), FIRST + timedelta(days=2))
    assert lines == [f"{run_id(0)}: raw data removed"]
    assert not (path / "hosts").exists()
    kept = (path / "figures.json").read_bytes()
    with pytest.raises(FleetdiagError, match="what its hosts sent is not kept any more"):
        reports.build(path)
    assert (path / "figures.json").read_bytes() == kept
    assert nights.sweep().news["learning"] == {"have": 3, "need": 8}


def test_of_a_sweep_in_shards_raw_data_goes_too(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.sweep(shards=2)
    nights.sweep(shards=2)
    lines = retention.prune(tmp_path, Keep(raw_s=0.5 * 86_400), FIRST + timedelta(days=1))
    assert lines == [f"{run_id(0)}: raw data removed"]
    assert not list((tmp_path / run_id(0)).glob("shards/*/hosts"))
    with pytest.raises(FleetdiagError, match="what its hosts sent is not kept any more"):
        reports.build(tmp_path / run_id(0))


def test_what_a_shard_has_not_collected_stays(tmp_path: Path) -> None:
    Nights(tmp_path).sweep(shards=2)
    (shard, _) = read.parts(tmp_path / run_id(0))
    write.write_host(shard, "web1", "arm", {"verdict": "ok", "sessions": {"slow_open": {"status": "armed"}}})
    (shard / "hosts" / "web1" / "collect.json").unlink()
    assert "what 1 hosts have of it is not collected" in retention.why_not(tmp_path / run_id(0), {})


def test_too_large_is_made_smaller_the_oldest_first(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 4)
    lines = retention.prune(tmp_path, Keep(raw_s=0, size=250), NOW, size_of=lambda _: 100)
    assert [line.partition(":")[0] for line in lines] == ids[:2]
    assert left(tmp_path) == ids[2:]


def test_a_damaged_run_is_removed_in_its_turn(tmp_path: Path) -> None:
    ids = nightly(tmp_path, 3)
    (tmp_path / ids[0] / "sweep.json").write_text("{")
    assert "nightly" not in json.dumps(retention.prune(tmp_path, FEW, NOW))
    assert left(tmp_path) == ids


@pytest.mark.parametrize(
    ("data", "keep"),
    [
        ({}, Keep()),
        ({"last": 3, "daily": 0, "weekly": 1, "raw": "2d"}, Keep(3, 0, 1, 2 * 86_400.0)),
        ({"size": "20 GiB", "raw": 0}, Keep(size=20 << 30, raw_s=0.0)),
    ],
)
def test_what_may_be_said(data: dict[str, Any], keep: Keep) -> None:
    assert retention.parse(data) == keep


@pytest.mark.parametrize(
    "data", [{"last": 0}, {"daily": "x"}, {"monthly": 1}, {"raw": "soon"}, {"size": "big"}]
)
def test_what_may_not(data: dict[str, Any]) -> None:
    with pytest.raises(FleetdiagError, match="keep: "):
        retention.parse(data)
