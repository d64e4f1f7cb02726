# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import rundirs
from builtreports import WHEN, built, row, sweep
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_json, publish
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import kernel_types, sessions
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write


def test_the_merged_table_has_the_host_first_and_the_different_one_on_top(tmp_path: Path) -> None:
    report = built(sweep(tmp_path).path)
    assert report.verdict == "2 of 2 hosts probed"
    (table,) = report.probes[0].tables
    assert [(r.host, r.key, r.values) for r in table.rows()] == [
        ("web2", ("httpd", "/var/www/html/lectura_lenta.html"), (8.471285, 1)),
        ("web1", ("httpd", "/var/www/html/index.html"), (1.1, 2)),
        ("web2", ("httpd", "/var/www/html/index.html"), (1.1, 2)),
    ]
    assert [(host.host, host.total.values) for host in table.hosts] == [
        ("web2", (8.471285, 3)),
        ("web1", (1.1, 2)),
    ]
    assert table.total is not None
    assert table.total.values == (8.471285, 5)
    assert {total.key[1]: total.hosts for total in table.keys} == {
        "/var/www/html/lectura_lenta.html": 1,
        "/var/www/html/index.html": 2,
    }


def test_losses_and_late_arming(tmp_path: Path) -> None:
    made = sweep(tmp_path, upto="go")
    out = made.out(record("slow_files", 9000, "p", "/x", 2_000_000, 1), late_s=3.2)
    lost = out.replace(b"\t4\t@end", b"\t16\t@end")
    err = {"slow_open": "WARNING: Number of errors: 0, skipped probes: 34\n"}
    made.collect("web1", {"slow_open": lost}, err=err)
    made.collect("web2", {"slow_open": made.out()})
    report = built(made.path)
    assert report.verdict == "2 of 2 hosts probed (1 with losses)"
    assert row(report, "web1").late_s == 3.2
    assert report.probes[0].mark("web1") == "late 3.2 s; 12 records lost; 34 probe hits skipped"
    assert report.probes[0].mark("web2") == ""


def test_the_clock_of_a_host_does_not_make_it_late(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.window()
    made.preflight("web1", offset_s=-7200.25)
    made.arm("web1")
    made.go("web1", offset_s=-7200.25)
    made.collect("web1", {"slow_open": made.out(offset_s=-7200.25)})
    assert row(built(made.path), "web1").status == "probed"


def test_a_probe_that_does_not_compile_is_in_its_section(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"], ["slow_open", "nettop"])
    made.window()
    made.build(failed={"nettop": ("semantic error: no match\n   source: probe x", 12)})
    for host in made.hosts:
        made.preflight(host)
        made.arm(host, skip=("nettop",))
        made.go(host)
        made.collect(host, {"slow_open": made.out()})
    report = built(made.path)
    (failure,) = report.probes[1].not_built
    assert failure.error == "line 12: semantic error: no match\n   source: probe x"
    assert failure.hosts == ("web1", "web2")
    assert report.probes[1].sampled == []
    assert row(report, "web1").status == "degraded"
    assert report.probes[0].sampled == ["web1", "web2"]


def test_what_is_wrong_with_the_only_probe_is_in_its_section(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"], ["nettop"])
    made.build(failed={"nettop": ("semantic error: no match", 1)})
    made.preflight("web1")
    refused = {"verdict": "refused", "reason": "none of the probes compiled for its kernel", "remedy": "see"}
    write.write_host(made.path, "web1", "arm", refused)
    (failure,) = built(made.path).probes[0].not_built
    assert (failure.error, failure.hosts) == ("line 1: semantic error: no match", ("web1",))


def test_a_kernel_for_which_nothing_can_be_built(tmp_path: Path) -> None:
    made = sweep(tmp_path, upto="preflight")
    write.write_json(
        made.path, "builds/6.12.90-amd64.json", {"kernel": "6.12.90-amd64", "error": "stap 4.8", "probes": {}}
    )
    (failure,) = built(made.path).probes[0].not_built
    assert (failure.error, failure.hosts) == ("stap 4.8", ("web1", "web2"))
    for host in ("web1", "web2"):
        write.write_host(
            made.path, host, "arm", {"verdict": "refused", "reason": "stap 4.8", "remedy": "newer"}
        )
    assert built(made.path).probes[0].not_built == []


def test_a_note_says_what_a_probe_leaves_out_that_was_built_with_what_the_kernel_tells(
    tmp_path: Path,
) -> None:
    made = sweep(tmp_path)
    name = "builds/6.12.90-amd64.json"
    found = read.read_json(made.path, name)
    assert found is not None
    assert not [note for note in built(made.path).notes if "BTF" in note]
    functions = [f"vfs_{number}" for number in range(kernel_types.NAMED_FUNCTIONS + 3)]
    found["probes"]["slow_open"].update(types="btf", functions=functions, maker="1")
    write.write_json(made.path, name, found)
    (note,) = [note for note in built(made.path).notes if "BTF" in note]
    assert note.startswith("slow_open on kernel 6.12.90-amd64 was built with what the kernel tells of itself")
    assert "of vfs_0, vfs_1" in note
    assert "and 3 more the compiler may have put copies inline" in note
    found["probes"]["slow_open"].update(functions="vfs_read")  # a damaged found
    write.write_json(made.path, name, found)
    assert [note for note in built(made.path).notes if "functions that are not named" in note]


def test_intervals_and_rates(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"], ["nettop"])
    made.window()
    found = [record("traffic", n * 5000 + 20, "sshd", "ens3", 10, 3000) for n in range(1, 7)]
    made.whole("web1", {"nettop": made.out(*found)})
    (table,) = built(made.path).probes[0].tables
    assert table.interval_s == 5
    assert [(n, values) for n, values in table.hosts[0].intervals] == [(n, (10, 3000)) for n in range(1, 7)]
    assert (table.rows()[0].values, table.rows()[0].rates) == ((60, 18000), (None, 600.0))


def test_call_traces_and_texts(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"], ["fs_calltrace", "notes"])
    made.window()
    trace = "     0 ls(31789): ->ext4_readdir\n    31 ls(31789):  ->ext4_get_inode_loc\n"
    trace += "    52 ls(31789):  <-ext4_get_inode_loc\n    88 ls(31789): <-ext4_readdir\n"
    for host in made.hosts:
        text = "".join(f"line {n}\n" for n in range(150))
        made.whole(host, {"fs_calltrace": made.out(payload=trace), "notes": made.out(payload=text)})
    report = built(made.path)
    calls, notes = report.probes
    assert [c.lines[1] for c in calls.calls] == ["    31 ls(31789):  ->ext4_get_inode_loc"] * 2
    (tree,) = calls.fleet_calls
    assert [(n.node.path[-1], n.node.count, n.node.total_us, n.node.self_us) for n in tree.nodes] == [
        ("ext4_readdir", 2, 176, 134),
        ("ext4_get_inode_loc", 2, 42, 42),
    ]
    assert [(t.host, len(t.lines), t.total) for t in notes.texts] == [("web1", 100, 150), ("web2", 100, 150)]


def test_same_directory_same_bytes(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    publish.write(made.path, built(made.path))
    names = ["report.json", "report.txt", "report.html"]
    first = [(made.path / name).read_bytes() for name in names]
    publish.write(made.path, built(made.path))
    assert [(made.path / name).read_bytes() for name in names] == first
    assert all((made.path / name).stat().st_mode & 0o777 == 0o600 for name in names)
    later = reports.build(made.path, generated="2027-01-01T00:00:00+00:00")
    assert as_json.render(later).replace("2027-01-01T00:00:00+00:00", WHEN).encode() == first[0]


def test_a_moved_directory_is_the_same(tmp_path: Path) -> None:
    made = sweep(tmp_path / "a")
    one = as_json.render(built(made.path))
    shutil.move(made.path, tmp_path / "elsewhere")
    assert as_json.render(built(tmp_path / "elsewhere")) == one


def test_without_a_given_time_it_is_now(tmp_path: Path) -> None:
    assert reports.build(sweep(tmp_path).path).generated.startswith("20")


def shards(tmp_path: Path, **more: Any) -> list[Path]:
    paths = []
    for number in range(3):
        made = Builder(
            tmp_path, [f"web{number}a", f"web{number}b"], sweep_id=f"20261123_08000{number}_ab12", **more
        )
        made.window()
        for place, host in enumerate(made.hosts):
            out = made.out(record("slow_files", 1, "p", "/same", 1_000_000 + 1000 * number + place, 1))
            made.whole(host, {"slow_open": out})
        paths.append(made.path)
    return paths


def test_shards_make_one_report_in_any_order(tmp_path: Path) -> None:
    one, two, three = shards(tmp_path)
    report = built([one, two, three])
    assert report.verdict == "6 of 6 hosts probed"
    assert [run.hosts for run in report.runs] == [2, 2, 2]
    assert report.probes[0].tables[0].keys[0].hosts == 6
    assert as_json.render(built([three, one, two])) == as_json.render(report)


def test_shards_that_do_not_fit_together(tmp_path: Path) -> None:
    one, two, _ = shards(tmp_path)
    with pytest.raises(FleetdiagError, match=r"is in .* and in "):
        built([one, one])
    other = Builder(
        tmp_path,
        ["x"],
        sweep_id="20261123_090000_ab12",
        manifests={"slow_open": {**rundirs.SLOW_OPEN, "description": "Another."}},
    )
    with pytest.raises(FleetdiagError, match="its probe slow_open differs"):
        built([two, other.path])
    with pytest.raises(FleetdiagError, match="no run directory was named"):
        built([])


def test_rows_of_many_hosts_have_their_share_and_what_is_beyond_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "ROWS_IN_ALL", 60)
    monkeypatch.setattr(reports, "POINTS_IN_ALL", 80)
    hosts = ["web1", "web2"]
    made = Builder(tmp_path, hosts, ["slow_open", "nettop"])
    made.window()
    slow = [record("slow_files", 1, f"p{n}", "/x", 2_000_000 + n, 1) for n in range(50)]
    traffic = [record("traffic", 5000, f"p{n}", "eth0", 1, n) for n in range(50)]
    for host in hosts:
        made.whole(host, {"slow_open": made.out(*slow), "nettop": made.out(*traffic)})
    for probe in built(made.path).probes:
        for host in probe.tables[0].hosts:
            assert len(host.rows) == 15  # 60 rows for two hosts with two tables each
            assert host.other is not None
            assert (host.other.keys, host.total.keys) == (35, 50)
        with_series = [row for row in probe.tables[0].hosts[0].rows if row.series]
        assert len(with_series) == (6 if probe.name == "nettop" else 0)  # of six intervals each


def test_first_lines_of_every_output_are_kept_as_printed(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    rows = [record("slow_files", n, f"p{n}", "/a\\tb", 2_000_000, 1) for n in range(40)]
    made.whole("web1", {"slow_open": made.out(*rows)})
    made.whole("web2", {"slow_open": b""})
    probe = reports.build(made.path, generated="now").probes[0]
    assert len(probe.heads["web1"]) == sessions.HEAD_LINES
    assert probe.heads["web1"][2] == "3\tslow_files\t0\tp0\t/a\\tb\t2000000\t1"
    assert probe.heads["web2"] == []


def test_hosts_know_their_run(tmp_path: Path) -> None:
    first = Builder(tmp_path, ["web1"], sweep_id="20261123_080000_ab12")
    second = Builder(tmp_path, ["web2"], sweep_id="20261123_080000_ab13")
    report = reports.build([first.path, second.path], generated="now")
    assert report.homes == {"web1": "20261123_080000_ab12", "web2": "20261123_080000_ab13"}
