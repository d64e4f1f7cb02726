# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import modulestore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError


@pytest.fixture
def modules(tmp_path: Path) -> modulestore.ModuleStore:
    return modulestore.ModuleStore(tmp_path / "cache")


def test_put_then_get(modules: modulestore.ModuleStore) -> None:
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


def test_a_second_store_sees_the_same(modules: modulestore.ModuleStore) -> None:
    modules.put("k", b"x", {})
    assert modulestore.ModuleStore(modules.directory).get("k") is not None


def test_everything_is_private(modules: modulestore.ModuleStore) -> None:
    modules.put("k", b"x", {})
    modules.put_verdict("v", {"verdict": "ok", "reason": "", "remedy": ""})
    paths = [modules.directory, *modules.directory.rglob("*")]
    assert {(p.is_dir(), stat.S_IMODE(p.stat().st_mode)) for p in paths} == {(True, 0o700), (False, 0o600)}
    assert not [p for p in paths if p.name.endswith(".tmp")]


@pytest.mark.parametrize("damage", [b"", b"y", b"xx"])
def test_a_damaged_module_is_dropped(modules: modulestore.ModuleStore, damage: bytes) -> None:
    modules.put("k", b"x", {})
    path = modules.get("k")
    assert path is not None
    path.write_bytes(damage)
    assert modules.get("k") is None
    assert not path.exists()
    assert modules.meta("k") is None
    modules.put("k", b"x", {})
    assert modules.get("k") == path


def test_a_link_is_not_used(modules: modulestore.ModuleStore, tmp_path: Path) -> None:
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
def test_a_damaged_entry_is_no_entry(modules: modulestore.ModuleStore, content: bytes) -> None:
    modules.put("k", b"x", {})
    (entry,) = (modules.directory / "index").iterdir()
    entry.write_bytes(content)
    assert modules.get("k") is None


def test_keys_are_any_text(modules: modulestore.ModuleStore) -> None:
    for number, key in enumerate(["../../x", "", "a\nb", "\ud800", "x" * 5000]):
        modules.put(key, bytes([number + 1]), {})
    assert {p.parent.name for p in modules.directory.rglob("*") if p.is_file()} == {"modules", "index"}
    path = modules.get("../../x")
    assert path is not None
    assert path.read_bytes() == b"\x01"


def test_an_empty_module_is_an_error(modules: modulestore.ModuleStore) -> None:
    with pytest.raises(FleetdiagError, match="is empty"):
        modules.put("k", b"", {})


def test_verdicts(modules: modulestore.ModuleStore) -> None:
    verdict = {"verdict": "refused", "reason": "no output", "remedy": "install SystemTap 5"}
    assert modules.get_verdict("6.1/4.8/5.6") is None
    modules.put_verdict("6.1/4.8/5.6", verdict)
    assert modules.get_verdict("6.1/4.8/5.6") == verdict
    (entry,) = (modules.directory / "verdicts").iterdir()
    entry.write_bytes(b'{"verdict": 1')
    assert modules.get_verdict("6.1/4.8/5.6") is None


def test_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert modulestore.default_dir() == tmp_path / "fleetdiag"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert modulestore.default_dir() == Path(tmp_path) / ".cache" / "fleetdiag"


def test_a_place_that_cannot_hold_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(FleetdiagError, match="no place for modules"):
        modulestore.ModuleStore(tmp_path / "cache")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index").symlink_to(tmp_path)
    with pytest.raises(FleetdiagError, match="is not a directory"):
        modulestore.ModuleStore(tmp_path / "other")
