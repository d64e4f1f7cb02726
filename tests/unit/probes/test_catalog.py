# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from manifests import GOOD, make

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog


def test_every_shipped_probe_loads() -> None:
    if not catalog.shipped().is_dir():
        pytest.skip("no probes are shipped yet")
    names = catalog.names([catalog.shipped()])
    assert [probe.name for probe in catalog.find(names, [catalog.shipped()])] == names if names else True


def test_folders_that_lack_something(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FleetdiagError, match=r"/empty: the folder holds no probe\.yml; add one"):
        catalog.load_probe(tmp_path / "empty")
    with pytest.raises(FleetdiagError, match=r"/absent: there is no such probe folder; "):
        catalog.load_probe(tmp_path / "absent")
    with pytest.raises(FleetdiagError, match=r"/other: the folder holds no other\.stp; "):
        catalog.load_probe(make(tmp_path, "other", script="slow_open.stp"))


@pytest.mark.parametrize("name", ["Upper", "1st", "a-b", "a" * 31, "smoke", "a b", "é"])
def test_names_no_probe_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(FleetdiagError, match=r"the folder's name: .+; "):
        catalog.load_probe(make(tmp_path, name))
    with pytest.raises(FleetdiagError, match=r"the probe's name: .+; "):
        catalog.probe_from_manifest(name, yaml.safe_load(GOOD))


def test_find_keeps_the_order_and_takes_each_once(tmp_path: Path) -> None:
    make(tmp_path / "one", "nettop")
    make(tmp_path / "two", "slow_open")
    (tmp_path / "two" / "notes").mkdir()
    catalogs = [tmp_path / "one", tmp_path / "two"]
    found = catalog.find(["slow_open", "nettop", "slow_open"], catalogs)
    assert [probe.name for probe in found] == ["slow_open", "nettop"]
    assert catalog.names(catalogs) == ["nettop", "slow_open"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["slow_opn"], r"^probe slow_opn: is not in the catalog \(.*/c\); did you mean slow_open\?$"),
        (["zzz"], r"^probe zzz: is not in the catalog \(.*/c\); there are: nettop, slow_open$"),
        (["../c/nettop"], r"^\.\./c/nettop: there is no such script; "),
        (["\x1b[2J"], r"^probe \\x1b\[2J: is not in the catalog "),
        ([""], r"^probe : is not in the catalog "),
        ([], r"^no probe was named; there are: nettop, slow_open$"),
    ],
)
def test_unknown_names(tmp_path: Path, names: list[str], said: str) -> None:
    make(tmp_path / "c", "nettop")
    make(tmp_path / "c", "slow_open")
    with pytest.raises(FleetdiagError, match=said):
        catalog.find(names, [tmp_path / "c"])


def test_a_name_in_two_catalogs_names_both_folders(tmp_path: Path) -> None:
    first, second = make(tmp_path / "a", "nettop"), make(tmp_path / "b", "nettop")
    with pytest.raises(FleetdiagError) as caught:
        catalog.find(["nettop"], [tmp_path / "a", tmp_path / "b"])
    assert str(caught.value).startswith(f"probe nettop: is in two catalogs, {first} and {second}; ")
    assert catalog.find(["nettop"], [tmp_path / "a", tmp_path / "a"])[0].folder == first


def test_a_catalog_that_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(
        FleetdiagError, match=r"^catalog /.*/absent: No such file or directory; name a directory"
    ):
        catalog.names([tmp_path / "absent"])


def test_only_what_may_run_is_found(tmp_path: Path) -> None:
    folder = make(tmp_path, "nettop")
    script = folder / "nettop.stp"
    script.write_text(script.read_text() + 'probe end { system("ls") }\n')
    assert catalog.load_probe(folder).name == "nettop"
    with pytest.raises(FleetdiagError) as caught:
        catalog.find(["nettop"], [tmp_path])
    assert str(caught.value) == (
        f"{script}:6: system() runs a command on the host; a probe only watches: take it out"
    )
