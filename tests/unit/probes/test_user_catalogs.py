# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import user_catalogs


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person with an empty home, who works in `work`."""
    for name in ("home", "home/.config/fleetdiag", "work", "home/one", "home/two", "work/three"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("FLEETDIAG_CATALOGS", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def config(home: Path, text: str) -> Path:
    path = home / ".config" / "fleetdiag" / "config.toml"
    path.write_text(text)
    return path


def test_nothing_is_said() -> None:
    assert user_catalogs.catalogs() == []


def test_all_three_places_in_their_order_and_each_directory_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = home.parent / "work"
    (work / "link").symlink_to(home / "one")
    monkeypatch.setenv("FLEETDIAG_CATALOGS", f":{home}/two::link:")
    config(home, 'catalogs = ["~/one", "../../two", "/"]\n')
    assert user_catalogs.catalogs(["three", "~/two"]) == [
        work / "three",
        home / "two",
        work / "link",
        Path("/"),
    ]


def test_the_configuration_moves_with_xdg(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home / "two" / "fleetdiag" / "config.toml"
    other.parent.mkdir()
    other.write_text('catalogs = ["../.."]')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "two"))
    assert config_file.find() == other
    assert user_catalogs.catalogs() == [home]
    monkeypatch.setenv("XDG_CONFIG_HOME", "two")  # relative ones are to be ignored
    assert user_catalogs.catalogs() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# ours\ncatalog = []\n", ":2: catalog: is not known here; it can be catalogs"),
        ("catalogs = []\n[sweep]\nforks = 3\n", ":2: sweep: is not known here; it can be catalogs"),
        ("\ncatalogs = 'x'", ":2: catalogs: is not a list of directories; write catalogs ="),
        ("catalogs = ['x', 3]", ":1: catalogs: is not a list of directories; write catalogs ="),
        ("catalogs = ['']", ":1: catalogs: is not a list of directories; write catalogs ="),
        ("\ncatalogs = ['~/three']", ":2: catalogs: ~/three: there is no such directory; name one"),
        ("catalogs = [\n'a'\n'b']", ":3: TOML: "),
        ("catalogs = [\n'a'\n", ":2: TOML: "),
        ("a = 1\na = 2\n", ":2: TOML: "),
        ("a = " + "[" * 5000, ":1: TOML: "),
        (b"\xff", ":1: is not UTF-8 text; save it as UTF-8"),
    ],
)
def test_a_fault_names_file_and_line(home: Path, text: str | bytes, said: str) -> None:
    path = config(home, "")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FleetdiagError) as caught:
        user_catalogs.catalogs()
    assert str(caught.value).startswith(f"{path}{said}")
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_named_what_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FleetdiagError, match=r"^catalog mine: there is no such directory; name one"):
        user_catalogs.catalogs(["mine"])
    with pytest.raises(FleetdiagError, match=r"^catalog ~nobody_here/x: .+; write the whole path$"):
        user_catalogs.catalogs(["~nobody_here/x"])
    monkeypatch.setenv("FLEETDIAG_CATALOGS", "yours")
    with pytest.raises(
        FleetdiagError, match=r"^FLEETDIAG_CATALOGS: catalog yours: there is no such directory"
    ):
        user_catalogs.catalogs()


def test_a_configuration_that_cannot_be_read(home: Path) -> None:
    path = config(home, "")
    path.unlink()
    path.mkdir()
    with pytest.raises(FleetdiagError, match=r"config\.toml: Is a directory; make it readable"):
        user_catalogs.catalogs()
