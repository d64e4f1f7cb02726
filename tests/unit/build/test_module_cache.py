# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import files
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import module_cache


@pytest.fixture
def modules(tmp_path: Path) -> module_cache.ModuleStore:
    return module_cache.ModuleStore(tmp_path / "cache")


def test_put_then_get(modules: module_cache.ModuleStore) -> None:
    sha256 = modules.put("kernel/probe", b"\x7fELF", {"stap": "5.6"})
    assert sha256 == hashlib.sha256(b"\x7fELF").hexdigest()
    path = modules.get("kernel/probe")
    assert path is not None
    assert path.read_bytes() == b"\x7fELF"
    assert modules.meta("kernel/probe") == {
        "key": "kernel/probe",
        "stap": "5.6",
        "sha256": sha256,
        "bytes": 4,
    }
    assert modules.get("kernel/other") is None


def test_a_second_store_sees_the_same(modules: module_cache.ModuleStore) -> None:
    modules.put("k", b"x", {})
    assert module_cache.ModuleStore(modules.directory).get("k") is not None


def test_everything_is_private(modules: module_cache.ModuleStore) -> None:
    modules.put("k", b"x", {})
    modules.put_verdict("v", {"verdict": "ok", "reason": "", "remedy": ""})
    paths = [modules.directory, *modules.directory.rglob("*")]
    assert {(p.is_dir(), stat.S_IMODE(p.stat().st_mode)) for p in paths} == {(True, 0o700), (False, 0o600)}
    assert not [p for p in paths if p.name.endswith(".tmp")]


@pytest.mark.parametrize("damage", [b"", b"y", b"xx"])
def test_a_damaged_module_is_dropped(modules: module_cache.ModuleStore, damage: bytes) -> None:
    modules.put("k", b"x", {})
    path = modules.get("k")
    assert path is not None
    path.write_bytes(damage)
    assert modules.get("k") is None
    assert not path.exists()
    assert modules.meta("k") is None
    modules.put("k", b"x", {})
    assert modules.get("k") == path


def test_a_link_is_not_used(modules: module_cache.ModuleStore, tmp_path: Path) -> None:
    modules.put("k", b"x", {})
    path = modules.get("k")
    assert path is not None
    path.unlink()
    (tmp_path / "evil.ko").write_bytes(b"x")
    path.symlink_to(tmp_path / "evil.ko")
    assert modules.get("k") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"key": "other", "sha256": ""}', b'{"key": "k", "sha256": "../x"}']
)
def test_a_damaged_entry_is_no_entry(modules: module_cache.ModuleStore, content: bytes) -> None:
    modules.put("k", b"x", {})
    (entry,) = (modules.directory / "index").iterdir()
    entry.write_bytes(content)
    assert modules.get("k") is None


def test_keys_are_any_text(modules: module_cache.ModuleStore) -> None:
    for number, key in enumerate(["../../x", "", "a\nb", "\ud800", "x" * 5000]):
        modules.put(key, bytes([number + 1]), {})
    assert {p.parent.name for p in modules.directory.rglob("*") if p.is_file()} == {"modules", "index"}
    path = modules.get("../../x")
    assert path is not None
    assert path.read_bytes() == b"\x01"


def test_an_empty_module_is_an_error(modules: module_cache.ModuleStore) -> None:
    with pytest.raises(FleetdiagError, match="is empty"):
        modules.put("k", b"", {})


def test_verdicts(modules: module_cache.ModuleStore) -> None:
    verdict = {"verdict": "refused", "reason": "no output", "remedy": "install SystemTap 5"}
    assert modules.get_verdict("6.1/4.8/5.6") is None
    modules.put_verdict("6.1/4.8/5.6", verdict)
    assert modules.get_verdict("6.1/4.8/5.6") == verdict
    (entry,) = (modules.directory / "verdicts").iterdir()
    entry.write_bytes(b'{"verdict": 1')
    assert modules.get_verdict("6.1/4.8/5.6") is None


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_dir() == tmp_path / "fleetdiag"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.cache_dir() == Path(tmp_path) / ".cache" / "fleetdiag"


def test_a_place_that_cannot_hold_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(FleetdiagError, match="no place for modules"):
        module_cache.ModuleStore(tmp_path / "cache")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index").symlink_to(tmp_path)
    with pytest.raises(FleetdiagError, match="is not a directory"):
        module_cache.ModuleStore(tmp_path / "other")


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_beyond_the_limit_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    modules = module_cache.ModuleStore(tmp_path / "cache", limit_mb=3)
    paths = {}
    for number, key in enumerate("abc"):
        modules.put(key, bytes([number]) * (900 << 10), {})
        found = modules.get(key)
        assert found is not None
        paths[key] = found
        aged(found, 10_000 - number)
    assert modules.get("a") is not None  # used: the oldest is b now
    modules.put("d", b"d" * (900 << 10), {})
    assert [key for key in "abcd" if modules.get(key) is None] == ["b"]
    assert modules.dropped == []
    assert len(list((modules.directory / "index").iterdir())) == 3


def test_what_a_sweep_may_still_need_stays(tmp_path: Path) -> None:
    modules = module_cache.ModuleStore(tmp_path / "cache", limit_mb=0)
    for key in "ab":
        modules.put(key, key.encode(), {})
    assert modules.get("a") is not None
    assert modules.get("b") is not None


def test_damage_is_said_once_and_a_module_that_went_is_none(modules: module_cache.ModuleStore) -> None:
    modules.put("k", b"x", {})
    path = modules.get("k")
    assert path is not None
    path.write_bytes(b"y")
    assert modules.get("k") is None
    assert modules.get("k") is None
    assert modules.dropped == [f"{path}: was damaged, is removed and built again"]
    modules.put("k", b"x", {})
    path.unlink()
    assert modules.get("k") is None
    assert len(modules.dropped) == 1


def test_on_a_full_disk_what_nobody_uses_makes_room_or_one_sentence_is_said(
    modules: module_cache.ModuleStore, tmp_path: Path
) -> None:
    """A disk of 64 KiB: the store lies in a file system of its own."""
    disk = tmp_path / "disk"
    script = f"""
import os, sys, time
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
store = ModuleStore({str(disk)!r})
store.put("old", b"o" * 40_000, {{}})
path = store.get("old")
if sys.argv[1] == "unused":
    os.utime(path, (0, 0))
store.put("new", b"n" * 40_000, {{}})
print(store.get("old"), store.get("new") is not None)
"""
    disk.mkdir()
    inside = f'mount -t tmpfs -o size=64k tmpfs {disk} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", inside, "sh", sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}

    def run(case: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, case], capture_output=True, text=True, check=False, timeout=60, env=environment
        )

    done = run("unused")
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    assert done.stdout == "None True\n", done.stderr
    said = run("in use").stderr.splitlines()[-1]
    assert "No space left on device" in said
    assert said.endswith("free some space")


def test_a_second_builder_of_the_same_waits_for_the_first_and_then_has_it(
    modules: module_cache.ModuleStore,
) -> None:
    order: list[str] = []
    inside, waits = threading.Event(), threading.Event()

    def second() -> None:
        inside.wait(10)
        other = module_cache.ModuleStore(modules.directory)
        with other.locked(["x", "k"], waits.set):
            order.append("second" if other.get("k") else "second, in vain")

    thread = threading.Thread(target=second)
    thread.start()
    with modules.locked(["k"]):
        inside.set()
        assert waits.wait(10)
        modules.put("k", b"x", {})
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert list((modules.directory / "locks").iterdir()) == []


def test_others_do_not_wait(modules: module_cache.ModuleStore) -> None:
    with modules.locked(["a"]), module_cache.ModuleStore(modules.directory).locked(["b"], pytest.fail):
        pass


def test_a_lock_ends_with_its_holder(modules: module_cache.ModuleStore) -> None:
    script = f"""
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
import signal
with ModuleStore({str(modules.directory)!r}).locked(["k"]):
    print("held", flush=True)
    signal.pause()
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(TimeoutError), modules.locked(["k"], lambda: _raise(TimeoutError())):
        pass
    holder.kill()
    holder.wait()
    with modules.locked(["k"], lambda: _raise(TimeoutError())):
        pass


def _raise(error: Exception) -> None:
    raise error


def test_a_module_of_debuginfo_that_another_version_made_is_built_anew(
    modules: module_cache.ModuleStore,
) -> None:
    told = {"types": "btf", "functions": ["vfs_read", "no name"], "maker": module_cache.MAKER}
    modules.put("k", b"x", module_cache.origin(told))
    assert modules.get("k") is not None
    assert module_cache.origin(modules.meta("k") or {})["functions"] == ("vfs_read",)
    modules.put("k", b"x", module_cache.origin({**told, "maker": "0"}))
    assert modules.get("k") is None
