# SPDX-License-Identifier: GPL-3.0-or-later
"""What a builder answers when it is asked for examples. The answers come from the real command, run by a real shell."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import examples, plain

NAMES = ["slow_open", "example:network/nettop", "example:io/none", "example:network/socktop"]


def answer(folder: Path, names: list[str]) -> str:
    """The command's answer on a host that has its examples in `folder`."""
    return printed(examples.command(names).replace("/usr/share/systemtap/examples", str(folder)))


def printed(command: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} && sleep 0"], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    folder = tmp_path / "installed"
    (folder / "network").mkdir(parents=True)
    for name, text in {
        "nettop.stp": "probe begin {}\n",
        "nettop.meta": "title: x\n",
        "socktop": "#!/bin/sh\n",
    }.items():
        (folder / "network" / name).write_text(text)
    (folder / "network" / "socktop.meta").write_text("title: y\n")
    return folder


def test_the_scripts_that_are_asked_for_come_with_what_they_say_of_themselves(
    installed: Path, tmp_path: Path
) -> None:
    found = examples.read_answer(answer(installed, NAMES), NAMES)
    assert found.folder == str(installed)
    assert found.names == ["network/nettop", "network/socktop"]
    assert found.files == {
        "network/nettop.stp": b"probe begin {}\n",
        "network/nettop.meta": b"title: x\n",
        "network/socktop.meta": b"title: y\n",
        "network/socktop": b"#!/bin/sh\n",
    }
    found.stap = "5.6"
    folder = examples.keep(found, "build\x1bhost", tmp_path / "cache")
    assert plain.in_cache(tmp_path / "cache") == folder
    assert plain.is_in("example:network/nettop", folder)
    assert not plain.is_in("example:network/socktop", folder)
    assert (folder / plain.ORIGIN).read_text() == f"{installed} of SystemTap 5.6 on build\\x1bhost\n"
    assert (folder / "index.txt").read_text().split() == ["network/nettop", "network/socktop"]
    assert not list(folder.glob("**/.*.tmp"))


@pytest.mark.parametrize(
    "place",
    [
        "systemtap/examples",
        "systemtap/testsuite/systemtap.examples",  # EL
        "doc/systemtap-doc/examples",  # Debian
        "doc/packages/systemtap/examples",  # openSUSE
    ],
)
def test_they_are_found_where_distributions_put_them(place: str, tmp_path: Path) -> None:
    (tmp_path / place / "network").mkdir(parents=True)
    (tmp_path / place / "network/nettop.meta").write_text("title: x\n")
    said = printed(examples.command([]).replace("/usr/share", str(tmp_path)))
    assert examples.read_answer(said, []).folder == str(tmp_path / place)


def test_a_host_without_examples_says_so(tmp_path: Path) -> None:
    assert examples.read_answer(answer(tmp_path, NAMES), NAMES).folder == ""


def test_what_was_not_asked_for_is_not_taken() -> None:
    packed = base64.b64encode(gzip.compress(b"x")).decode()
    said = f"folder=/x\nfile=../../etc/passwd {packed}\nfile=io/iotop.stp {packed}\n"
    said += "name=../x\nname=a b\nnoise\nstap=x; y\n"
    found = examples.read_answer(said, NAMES)
    assert (found.files, found.names, found.stap) == ({}, [], "")


def test_a_script_that_does_not_arrive_whole_is_an_error() -> None:
    with pytest.raises(FleetdiagError, match=r"network/nettop\.stp did not arrive whole"):
        examples.read_answer("file=network/nettop.stp AAAA", NAMES)


def test_a_bomb_is_cut() -> None:
    packed = base64.b64encode(gzip.compress(b"x" * 50_000_000)).decode()
    found = examples.read_answer(f"file=network/nettop.stp {packed}", NAMES)
    assert len(found.files["network/nettop.stp"]) < 300_000
