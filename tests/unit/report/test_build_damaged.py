# SPDX-License-Identifier: GPL-3.0-or-later
"""A run directory that is damaged, cut off or hostile still gives a report that says so."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
import rundirs
from builtreports import built, row, sweep
from hypothesis import given, settings
from hypothesis import strategies as st
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write


@pytest.mark.parametrize(
    ("upto", "reason"),
    [
        ("created", "the sweep was interrupted before preflight"),
        ("preflight", "the sweep was interrupted after preflight"),
        ("build", "the sweep was interrupted after preflight"),
        ("arm", "the sweep was interrupted after arm"),
        ("window", "the sweep was interrupted after arm"),
        ("go", "the sweep was interrupted after the window was given"),
    ],
)
def test_a_controller_killed_at_any_phase_leaves_a_report(tmp_path: Path, upto: str, reason: str) -> None:
    report = built(sweep(tmp_path, upto=upto).path)
    assert report.verdict == "0 of 2 hosts probed, 2 not probed"
    assert {(r.status, r.reason) for r in report.coverage} == {("not probed", reason)}
    assert report.notes == []


def test_killed_while_collecting(tmp_path: Path) -> None:
    made = sweep(tmp_path, upto="go")
    made.collect("web1", {"slow_open": made.out()})
    report = built(made.path)
    assert report.verdict == "1 of 2 hosts probed, 1 not probed"
    assert row(report, "web2").remedy.endswith("bring it with: fleetdiag collect")


def test_one_bad_host_never_costs_another_its_result(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["ok", "old1", "gone", "broken", "garbage"])
    made.window()
    made.build()
    made.whole("ok", {"slow_open": made.out(record("slow_files", 1, "p", "/x", 2_000_000, 1))})
    made.preflight("old1", verdict="refused", reason="staprun 4.8", remedy="install 5.6")
    made.event("gone", "preflight", "unreachable", "No route to host")
    made.preflight("broken")
    made.event("broken", "arm", "failed", "Missing sudo password")
    made.whole("garbage", {"slow_open": os.urandom(10_000)})
    report = built(made.path)
    assert {item.host: item.status for item in report.coverage} == {
        "ok": "probed",
        "old1": "refused",
        "gone": "unreachable",
        "broken": "failed",
        "garbage": "failed",
    }
    assert report.verdict == "1 of 5 hosts probed, 1 refused, 1 unreachable, 2 failed"
    assert [r.host for r in report.probes[0].tables[0].rows()] == ["ok"]


def damaged(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "binary":
        path.write_bytes(os.urandom(200))
    elif how == "link":
        path.unlink()
        path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("how", ["missing", "empty", "half", "binary", "link"])
@pytest.mark.parametrize(
    "name",
    [
        "window.json",
        "builds/6.12.90-amd64.json",
        "events.jsonl",
        "hosts/web1/preflight.json",
        "hosts/web1/arm.json",
        "hosts/web1/go.json",
        "hosts/web1/collect.json",
        "hosts/web1/slow_open.out.gz",
        "hosts/web1/slow_open.err",
    ],
)
def test_any_damaged_file(tmp_path: Path, name: str, how: str) -> None:
    made = sweep(tmp_path)
    made.event("web1", "collect", "ok")
    damaged(made.path / name, how)
    report = built(made.path)
    assert row(report, "web2").status == "probed"
    if name.endswith(".json") and how != "missing":
        assert [note for note in report.notes if note.startswith(name)]
    if name.endswith("out.gz"):
        assert row(report, "web1").status in ("failed", "degraded")
    # The untouched host's figures are what they were.
    assert [r.values for r in report.probes[0].tables[0].rows() if r.host == "web2"] == [
        (8.471285, 1),
        (1.1, 2),
    ]


def test_a_truncated_gzip_gives_what_is_there(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    many = [record("slow_files", n, f"p{n}", f"/{os.urandom(20).hex()}", 2_000_000, 1) for n in range(2000)]
    made.collect("web1", {"slow_open": made.out(*many)})
    path = made.path / "hosts" / "web1" / "slow_open.out.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    report = built(made.path)
    session = row(report, "web1").sessions["slow_open"]
    assert session.status == "degraded"
    assert session.mark == "cut off before the end; output ends in the middle; 1 line rejected"
    assert 1000 < session.rows < 2000


def test_a_bomb_is_bounded(tmp_path: Path) -> None:
    manifest = {**rundirs.SLOW_OPEN, "limits": {"output_mb": 1}}
    made = sweep(tmp_path, manifests={**rundirs.MANIFESTS, "slow_open": manifest})
    start = made.out(ended=False)
    path = made.path / "hosts" / "web1" / "slow_open.out.gz"
    path.write_bytes(gzip.compress(start + bytes(200 << 20), 9))
    session = row(built(made.path), "web1").sessions["slow_open"]
    assert "output truncated at its limit" in session.mark


def test_altered_output_is_said(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    other = made.out(record("slow_files", 9000, "httpd", "/forged", 9_000_000, 1))
    write.write_host_bytes(made.path, "web1", "slow_open.out.gz", gzip.compress(other))
    assert row(built(made.path), "web1").reason == "slow_open: output is not what the host sent (checksum)"


def test_a_faulty_manifest_costs_only_its_probe(tmp_path: Path) -> None:
    made = sweep(
        tmp_path, probes=["slow_open", "nettop"], manifests={**rundirs.MANIFESTS, "nettop": {"x": 1}}
    )
    report = built(made.path)
    assert [probe.name for probe in report.probes] == ["slow_open"]
    assert report.notes[0].startswith("sweep.json: a probe cannot be shown: ")


@pytest.mark.parametrize(
    "probes", [None, 5, [5], [{}], [{"name": "../x"}], [{"name": "nettop", "manifest": 5}]]
)
def test_a_sweep_that_lists_nonsense(tmp_path: Path, probes: Any) -> None:
    made = sweep(tmp_path)
    write.write_json(
        made.path, "sweep.json", {"format": 1, "hosts": ["web1", 5, None], "probes": probes, "window_s": "x"}
    )
    report = built(made.path)
    assert report.probes == []
    assert [item.host for item in report.coverage] == ["web1"]


def test_a_probe_without_a_nonce(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    data = json.loads((made.path / "sweep.json").read_text())
    data["probes"][0]["nonce"] = "x"
    write.write_json(made.path, "sweep.json", data)
    report = built(made.path)
    assert len(report.notes) == 2
    assert "has no valid nonce" in report.notes[0]


def test_many_names_stay_bounded(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    many = [record("slow_files", 1, f"p{n}", "/x", 2_000_000 + n, 1) for n in range(3000)]
    made.collect("web1", {"slow_open": made.out(*many)})
    report = built(made.path, max_rows=100)
    (table,) = report.probes[0].tables
    (host,) = (item for item in table.hosts if item.host == "web1")
    assert len(host.rows) == 100
    assert host.other is not None
    assert (host.other.keys, host.other.values[1]) == (2900, 2900)
    assert host.total.values[1] == 3000


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"\n", b"\t", rundirs.NONCE.encode() + b"\t1\t"]),
        max_size=30,
    ),
    st.binary(max_size=200),
)
def test_no_output_makes_the_report_fail(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], err: bytes
) -> None:
    probes = ["slow_open", "nettop", "fs_calltrace", "notes"]
    made = Builder(tmp_path_factory.mktemp("runs"), ["web1", "web2"], probes)
    made.window()
    out = b"".join(pieces)
    made.whole("web1", dict.fromkeys(probes, made.out() + out))
    for probe in probes:
        write.write_host_bytes(made.path, "web1", f"{probe}.err", err)
    made.whole("web2", dict.fromkeys(probes, made.out()))
    report = built(made.path)
    publish.write(made.path, report)
    assert row(report, "web2").status == "probed"
