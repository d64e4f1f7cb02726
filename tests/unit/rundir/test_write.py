# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import FORMAT, host_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import (
    open_run,
    read_builds,
    read_events,
    read_host,
    read_json,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import EventRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.write import (
    append_event,
    create,
    filled,
    write_host,
    write_host_bytes,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "../../../evilhost",
    "a/../b",
    "..",
    ".",
    "-rf",
    "h\nx",
    "",
    "A" * 300,
    "web<script>",
    "日本",
    "\ud800",
    "h_0123456789abcdef",
    "web1\n",
    "a/b",
    "\x00",
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create(tmp_path / "runs", {"id": "20261123_080000_ab12", "hosts": ["web1"], "probes": []})


def modes(path: Path) -> set[tuple[bool, int]]:
    return {(p.is_dir(), stat.S_IMODE(p.lstat().st_mode)) for p in [path, *path.rglob("*")]}


def test_everything_is_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        run = create(tmp_path / "runs", {"id": "20261123_080000_ab12", "hosts": ["web1"], "probes": []})
        write_host(run, "web1", "preflight", {"verdict": "ok"})
        write_host_bytes(run, "web1", "nettop.out.gz", b"x")
        write_json(run, "builds/6.12.json", {})
        write_json(run, "window.json", {"start": 1.0})
        append_event(run, EventRecord(1.0, "web1"))
    finally:
        os.umask(old)
    assert modes(run) == {(True, 0o700), (False, 0o600)}
    assert not [p for p in run.rglob("*") if p.name.endswith(".tmp")]


def test_what_is_written_is_read(run: Path) -> None:
    write_host(run, "web1", "arm", {"verdict": "ok", "n": float("nan"), "host": "forged"})
    assert read_host(run, "web1", "arm") == {"host": "web1", "verdict": "ok", "n": None}
    write_json(run, "builds/6.12.90-amd64.json", {"kernel": "6.12.90-amd64", "stap": "5.6"})
    assert read_builds(run) == {"6.12.90-amd64": {"kernel": "6.12.90-amd64", "stap": "5.6"}}
    assert read_host(run, "web2", "arm") is None
    opened = open_run(run)
    assert opened.hosts == ["web1"]
    assert (read_json(run, "sweep.json") or {})["format"] == FORMAT
    assert opened.notes == []


@pytest.mark.parametrize("host", HOSTILE)
def test_no_host_name_leaves_the_run_directory(run: Path, host: str) -> None:
    before = {p for p in run.parent.parent.rglob("*") if run not in p.parents}
    write_host(run, host, "collect", {"x": 1})
    write_host_bytes(run, host, "slow_open.err", b"")
    assert {p for p in run.parent.parent.rglob("*") if run not in p.parents} == before
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", host_dir(host))
    read = read_host(run, host, "collect")
    assert read is not None
    assert read["host"] == host


def test_directories_are_unique() -> None:
    hashed = host_dir("../x")
    names = [*HOSTILE, "../x", hashed, "web1", "WEB1"]
    assert len({host_dir(name) for name in names}) == len(set(names))


@given(st.lists(st.text(), unique=True, max_size=20))
def test_directories_are_unique_and_safe(names: list[str]) -> None:
    made = [host_dir(name) for name in names]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name) for name in made)


@pytest.mark.parametrize(
    "name",
    ["../x.json", "builds/../x.json", "/etc/x.json", "hosts/web1/arm.json", "hosts/x.json", "x", "a..json"],
)
def test_other_file_names_are_refused(run: Path, name: str) -> None:
    with pytest.raises(FleetdiagError, match="not the name of a file"):
        write_json(run, name, {})


@pytest.mark.parametrize(
    "name", ["../../.ssh/authorized_keys", "x.out", "x.out.gz\n", "../x.err", "X.err", ".err"]
)
def test_other_names_from_a_host_are_refused(run: Path, name: str) -> None:
    with pytest.raises(FleetdiagError, match="refusing to write"):
        write_host_bytes(run, "web1", name, b"")


def test_planted_links_are_refused_and_named(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run / "hosts" / "web1").mkdir(mode=0o700)
    (run / "hosts" / "web1" / "arm.json").symlink_to(victim)
    with pytest.raises(FleetdiagError, match=re.escape(str(run / "hosts" / "web1" / "arm.json"))):
        write_host(run, "web1", "arm", {})
    (run / "events.jsonl").symlink_to(victim)
    with pytest.raises(FleetdiagError, match=re.escape(str(run / "events.jsonl"))):
        append_event(run, EventRecord(1.0, "web1"))
    (run / "hosts" / "web2").symlink_to(tmp_path)
    with pytest.raises(FleetdiagError, match=re.escape(str(run / "hosts" / "web2"))):
        write_host(run, "web2", "arm", {})
    assert victim.read_text() == "precious"
    assert not (tmp_path / "arm.json").exists()


def test_links_and_pipes_are_not_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"a": 1}')
    folder = run / "hosts" / "web1"
    folder.mkdir(mode=0o700)
    (folder / "arm.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(folder / "go.json")
    notes: list[str] = []
    assert read_host(run, "web1", "arm", notes) is None
    assert read_host(run, "web1", "go", notes) is None
    assert notes == [
        "hosts/web1/arm.json: is a symbolic link; left out",
        "hosts/web1/go.json: is not a regular file; left out",
    ]


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": ', b"[1]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_half_written_files_become_notes(run: Path, content: bytes) -> None:
    write_host(run, "web1", "arm", {})
    (run / "hosts" / "web1" / "arm.json").write_bytes(content)
    notes: list[str] = []
    assert read_host(run, "web1", "arm", notes) is None
    assert notes == ["hosts/web1/arm.json: half written or damaged; left out"]


def test_a_file_about_another_host_is_not_taken(run: Path) -> None:
    write_host(run, "web1", "arm", {})
    (run / "hosts" / "web1" / "arm.json").write_text('{"host": "web2"}')
    notes: list[str] = []
    assert read_host(run, "web1", "arm", notes) is None
    assert notes == ["hosts/web1/arm.json: names another host; left out"]


def test_events_survive_a_torn_line(run: Path) -> None:
    append_event(run, EventRecord(1.0, "web1", message="a\nb\ud800"))
    with (run / "events.jsonl").open("ab") as handle:
        handle.write(b'{"host": "we')
    append_event(run, EventRecord(2.0, "web2", message="x" * 10_000_000))
    notes: list[str] = []
    events = read_events(run, notes)
    assert [event.host for event in events] == ["web1", "web2"]
    assert events[0].message == "a\nb\ud800"
    assert (run / "events.jsonl").stat().st_size < 100_000
    assert notes == ["events.jsonl: 1 unreadable line left out"]


def test_events_of_several_writers_do_not_mix(run: Path) -> None:
    def write(number: int) -> None:
        for _ in range(20):
            append_event(run, EventRecord(number, "web1", message="x" * 5000))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes: list[str] = []
    assert len(read_events(run, notes)) == 80
    assert notes == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no sweep.json in it"),
        (b'{"format": 1, "hos', "its sweep.json cannot be read"),
        (b'{"format": 2}', "was written by a newer fleetdiag .format 2, known here: 1.; use that one"),
        (b'{"format": "x"}', "format 'x' is unknown"),
        (b'{"format": true}', "format True is unknown"),
        (b"{}", "format None is unknown"),
    ],
)
def test_what_is_no_run_directory(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(FleetdiagError, match=message) as caught:
        open_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_run_directory(tmp_path: Path) -> None:
    with pytest.raises(FleetdiagError, match="there is no such run directory"):
        open_run(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(FleetdiagError, match="is not a directory"):
        open_run(tmp_path / "file")


@pytest.mark.parametrize("sweep_id", ["", "../x", "20261123_080000_ab12\n", "20261123_080000_AB12"])
def test_bad_ids(tmp_path: Path, sweep_id: str) -> None:
    with pytest.raises(FleetdiagError, match="sweep id"):
        create(tmp_path, {"id": sweep_id})


def test_an_id_is_used_once(tmp_path: Path, run: Path) -> None:
    with pytest.raises(FleetdiagError, match="is there already"):
        create(run.parent, {"id": run.name})


def read_output(run: Path, data: bytes, limit: int = 1 << 20) -> tuple[bytes, Any]:
    write_host_bytes(run, "web1", "nettop.out.gz", data)
    with open_run(run).open_output("web1", "nettop", limit) as stream:
        assert stream is not None
        return io.BufferedReader(stream).read(), stream


@given(st.binary(max_size=3000), st.integers(1, 4000), st.integers(0, 3100))
def test_output_is_bounded_and_honest(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, limit: int, cut: int
) -> None:
    run = create(tmp_path_factory.mktemp("r"), {"id": "20261123_080000_ab12", "hosts": []})
    packed = gzip.compress(data[:100]) + gzip.compress(data[100:])
    got, stream = read_output(run, packed, limit)
    assert got == data[:limit]
    assert (stream.cut, stream.over_limit) == (False, len(data) > limit)
    assert stream.sha256 == hashlib.sha256(data[:limit]).hexdigest()
    got, stream = read_output(run, gzip.compress(data)[:cut])
    assert data.startswith(got)
    assert stream.cut == (0 < cut < len(gzip.compress(data)))


def test_a_bomb_is_read_no_further_than_its_limit(run: Path) -> None:
    got, stream = read_output(run, gzip.compress(bytes(300 << 20), 9), limit=1 << 20)
    assert len(got) == 1 << 20
    assert stream.over_limit
    assert not stream.cut


@pytest.mark.parametrize(
    "data",
    [b"not gzip at all", gzip.compress(b"x" * 100, mtime=0) + b"junk", b"\x1f\x8b\x08"],
    ids=["no gzip", "more behind it", "cut"],
)
def test_damaged_output(run: Path, data: bytes) -> None:
    got, stream = read_output(run, data)
    assert got in (b"", b"x" * 100)
    assert stream.cut


def test_missing_output_and_bad_probe_names(run: Path) -> None:
    opened = open_run(run)
    with opened.open_output("web1", "nettop", 10) as stream:
        assert stream is None
    assert opened.read_err("web1", "nettop") is None
    with (
        pytest.raises(FleetdiagError, match="not the name of a probe"),
        opened.open_output("web1", "../x", 10),
    ):
        pass
    assert opened.notes == []


def test_err_is_text_and_bounded(run: Path) -> None:
    write_host_bytes(run, "web1", "nettop.err", b"WARNING: \x9b" + b"x" * 5_000_000)
    text = open_run(run).read_err("web1", "nettop")
    assert text is not None
    assert text.startswith("WARNING: \\x9b")
    assert len(text) < 1_100_000
    json.dumps(text).encode()


def test_a_failed_write_leaves_nothing(run: Path) -> None:
    (run / "window.json").mkdir()
    with pytest.raises(FleetdiagError, match=r"window\.json"):
        write_json(run, "window.json", {})
    assert not list(run.glob(".*"))


def test_a_filled_file_appears_whole_or_not_at_all(run: Path) -> None:
    with filled(run, "csv/a.b.csv") as path:
        path.write_text("half")
        assert not (run / "csv" / "a.b.csv").exists()
        path.write_text("whole")
    assert (run / "csv" / "a.b.csv").read_text() == "whole"
    assert modes(run / "csv") == {(True, 0o700), (False, 0o600)}
    with pytest.raises(ZeroDivisionError), filled(run, "csv/a.b.csv") as path:
        path.write_text(str(1 / 0))
    assert [item.name for item in (run / "csv").iterdir()] == ["a.b.csv"]
    assert (run / "csv" / "a.b.csv").read_text() == "whole"


@pytest.mark.parametrize(
    "name", ["hosts/a.csv", "../a.csv", "a", "csv/../a.csv", "csv/.a.csv", "a.csv/b.csv"]
)
def test_only_files_of_a_report_are_filled(run: Path, name: str) -> None:
    before = sorted(run.rglob("*"))
    with pytest.raises(FleetdiagError, match="not the name of a file"), filled(run, name):
        pass
    assert sorted(run.rglob("*")) == before


@pytest.mark.parametrize(
    "word", ["1e400", "-1e400", "NaN", "9" * 30, "9" * 5000, str(2**63), str(-(2**63) - 1)]
)
def test_a_number_that_nothing_can_hold_is_null_and_the_rest_is_read(tmp_path: Path, word: str) -> None:
    (tmp_path / "window.json").write_text(f'{{"start": {word}, "end": 5, "least": {-(2**63)}}}')
    assert read_json(tmp_path, "window.json") == {"start": None, "end": 5, "least": -(2**63)}


def test_events_are_read_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_EVENTS_BYTES", 1 << 20, raising=False)
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.write(b'{"host": "web1", "message": "' + b"x" * 200_000 + b'"}\n{"host": "web2"}\n')
        file.truncate(64 << 20)  # one line, to which memory must not grow
        file.seek(0, os.SEEK_END)
        file.write(b'\n{"host": "web3"}\n')
    notes: list[str] = []
    tracemalloc.start()
    try:
        assert read_events(tmp_path, notes) == [EventRecord(None, "web2")]
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert "events.jsonl: is too large, only its first 1 MiB were read" in notes
    assert any("unreadable" in note for note in notes)


def test_builds_are_read_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    for number in range(300):
        (tmp_path / "builds" / f"k{number:03}.json").write_text(f'{{"kernel": "k{number:03}"}}')
    notes: list[str] = []
    assert len(read_builds(tmp_path, notes)) == 256
    assert notes == ["builds: holds 300 files, only the first 256 were read"]
