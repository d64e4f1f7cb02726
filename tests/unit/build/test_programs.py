# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts say of the probed programs and hand over, of this machine's own files and of bad ones."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from kernelinfo_maker import BUILD_ID
from program_maker import mark, program

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import kernel_info, programs
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

DATA = program(marks=mark())
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = ProgramFile("/b", "/usr/b", SHA256, BUILD_ID.hex(), len(DATA), "web1")


def asked(*paths: Path) -> dict[str, ProgramFile]:
    """Return what this machine says of its files."""
    names = [str(path) for path in paths]
    done = subprocess.run(["sh", "-c", programs.question(names)], capture_output=True, text=True, check=True)
    return programs.answered(done.stdout, names, "web1")


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="a program must be root's")
def test_a_host_says_what_is_there_and_hands_it_over(tmp_path: Path) -> None:
    real, link, text = tmp_path / "app-1.2", tmp_path / "app", tmp_path / "text"
    real.write_bytes(DATA)
    real.chmod(0o755)
    link.symlink_to(real)
    text.write_text("no program")
    told = asked(link, text, tmp_path / "none", tmp_path)
    found = told[str(link)]
    assert (found.real, found.sha256, found.build_id, found.bytes, found.trouble) == (
        str(real),
        SHA256,
        BUILD_ID.hex(),
        len(DATA),
        "",
    )
    assert "no build id" in told[str(text)].trouble
    assert told[str(tmp_path / "none")].trouble == told[str(tmp_path)].trouble == "there is no such file"
    done = subprocess.run(["sh", "-c", programs.command(found)], capture_output=True, text=True, check=True)
    assert programs.handed_over(0, done.stdout, "", found) == DATA
    real.chmod(0o775)
    assert "somebody other than root may change it" in asked(link)[str(link)].trouble
    real.chmod(0o755)
    os.chown(real, 1, 1)
    assert "somebody other than root may change it" in asked(link)[str(link)].trouble


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("", "did not say"),
        ("0 1 2 3\n", "did not say"),
        (f"0 10 0 755 {SHA256} {BUILD_ID.hex()} /b/../etc/shadow\n", "did not say"),
        (f"0 10 0 755 {SHA256} {BUILD_ID.hex()} /b; id\n", "did not say"),
        (f"0 {1 << 40} 0 755 - - /b\n", "more than the 67108864 that are taken"),
        (f"0 10 1000 755 {SHA256} {BUILD_ID.hex()} /b\n", "other than root"),
    ],
)
def test_what_a_host_says_is_taken_only_as_it_must_look(answer: str, trouble: str) -> None:
    (file,) = programs.answered(answer, ["/b"], "web1").values()
    assert trouble in file.trouble
    assert file.sha256 == ""


@pytest.mark.parametrize(
    ("code", "out", "file", "said"),
    [
        (1, "", FILE, "web1: /b was not handed over"),
        (0, packed(DATA)[:-40], FILE, "cut off"),
        (0, "!!", FILE, "damaged"),
        (0, packed(DATA + b"x"), FILE, "web1: /b changed while it was asked for"),
        (0, packed(DATA), replace(FILE, build_id="ab" * 20), "but the host said abab"),
        (
            0,
            packed(b"#!/bin/sh\n"),
            replace(FILE, sha256=hashlib.sha256(b"#!/bin/sh\n").hexdigest()),
            "no ELF file",
        ),
        (0, packed(bytes(programs.MAX_BYTES + 1)), FILE, "more than 67108864 bytes"),
    ],
    ids=["nothing", "cut", "damaged", "changed", "lied", "text", "large"],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    code: int, out: str, file: ProgramFile, said: str
) -> None:
    with pytest.raises(FleetdiagError, match=said) as error:
        programs.handed_over(code, out, "", file)
    assert "\n" not in str(error.value)


def test_the_build_that_most_hosts_have_is_chosen_and_the_others_are_told_apart() -> None:
    other = replace(FILE, sha256="cd" * 32, build_id="cd" * 20, host="web0")
    absent = ProgramFile("/b", host="web9", trouble="there is no such file")
    hosts = [{"/b": absent}, {"/b": other}, {"/b": FILE}, {"/b": replace(FILE, host="web2")}]
    chosen = programs.chosen(["/b"], hosts)
    assert chosen == {"/b": FILE}
    assert programs.chosen(["/b"], hosts[:3]) == {"/b": other}  # as many have each: the first
    assert programs.chosen(["/b"], hosts[:1]) == {"/b": absent}
    assert programs.chosen(["/b"], []) == {"/b": ProgramFile("/b", trouble=programs.NO_ANSWER)}
    assert programs.unlike(chosen, hosts[3]) == ""
    why = programs.unlike(chosen, hosts[1])
    assert f"build id {'cd' * 20} here, {BUILD_ID.hex()} on web1" in why
    assert "there is no such file" in programs.unlike(chosen, hosts[0])
    assert programs.NO_ANSWER in programs.unlike(chosen, {})
    assert programs.unlike(chosen, {"/b": replace(FILE, real="/elsewhere")})


def test_a_program_is_kept_once_and_a_damaged_one_is_asked_again(tmp_path: Path) -> None:
    store = programs.ProgramStore(tmp_path)
    assert store.get(SHA256) is None
    store.put(SHA256, DATA)
    path = store.get(SHA256)
    assert path is not None
    assert path.read_bytes() == DATA
    path.write_bytes(DATA[:-1])
    assert store.get(SHA256) is None


def test_programs_not_used_for_the_longest_time_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "KEPT_BYTES", 25)
    store = programs.ProgramStore(tmp_path)
    for age, name in enumerate(("aa", "bb"), 1):
        store.put(name, bytes(10))
        os.utime(store.directory / name, (age, age))
    kernel_info.kept(store.directory / "aa")
    store.put("cc", bytes(10))
    assert sorted(path.name for path in store.directory.iterdir()) == ["aa", "cc"]
