# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe of a program is compiled for the build of it that was chosen, and for no other."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import BUILD_ID, KERNEL, MANIFEST, NONCE, STAP, STAPRUN, new_run
from program_maker import program

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.programs import ProgramStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

MODULE = b"\x7fELF module"
SUM = hashlib.sha256(MODULE).hexdigest()
DATA = program()
FILE = ProgramFile("/b", "/usr/b", hashlib.sha256(DATA).hexdigest(), "ab" * 20, len(DATA), "web1")
LOST = "/b cannot be probed as it could not be had: "
SCRIPT = 'global n\nprobe process("/b").function("f") { n++ }\n'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    listed = [
        {"name": name, "manifest": MANIFEST, "parameters": {}, "nonce": NONCE, "script": script}
        for name, script in (("tick", "probe begin {}"), ("calls", SCRIPT))
    ]
    return new_run(tmp_path, probes=listed)


def build(run: Path, host: FakeHost, file: ProgramFile = FILE, **more: Any) -> dict[str, Any]:
    """Return {probe: its entry in the kernel's record} after a builder's turn."""
    wanted = {
        "kernel": KERNEL,
        "build_id": BUILD_ID,
        "builders": ["b1", "b2"],
        "names": ["smoke", "tick", "calls"],
        "stapruns": [STAPRUN],
        "programs": {"/b": asdict(file)},
    }
    done = act("sweep_build", host, run_dir=str(run), build=wanted, builder="b1", stap=STAP, **more)
    assert (done.get("failed", False), done["next"]) == (False, "")  # the next builder could do no better
    kept = read.read_json(run, f"builds/{KERNEL}.json")
    assert kept is not None
    return dict(kept["probes"])


def builder() -> FakeHost:
    def compiled(args: dict[str, Any]) -> dict[str, Any]:
        good = {
            "status": "built",
            "path": "/cache/x.ko",
            "sha256": SUM,
            "seconds": 2.0,
            "error": "",
            "line": None,
        }
        return {"modules": [{**good, "name": source["name"]} for source in args["sources"]]}

    host = FakeHost("b1").runs(compiled)
    host.says("gzip -1c", b64encode(gzip.compress(MODULE)).decode())
    return host.says("", "/tmp/there\n")


def test_the_builder_gets_the_program_with_the_script_that_names_it(run: Path) -> None:
    ProgramStore().put(FILE.sha256, DATA)
    host = builder()
    entries = build(run, host)
    assert entries["calls"]["status"] == "built"
    assert entries["calls"]["programs"]["/b"]["build_id"] == FILE.build_id
    assert "programs" not in entries["tick"]
    ((_module, args),) = host.modules
    given = {source["name"]: source["programs"] for source in args["sources"]}
    assert given["tick"] == given["smoke"] == []
    ((path, real, there),) = [(one["path"], one["real"], one["file"]) for one in given["calls"]]
    assert (path, real) == ("/b", "/usr/b")
    assert Path(host.files[there]).read_bytes() == DATA


def test_another_build_of_the_program_is_another_module(run: Path) -> None:
    other = program(build_id=b"another1" * 2)
    second = replace(FILE, sha256=hashlib.sha256(other).hexdigest(), host="web2")
    for data in (DATA, other):
        ProgramStore().put(hashlib.sha256(data).hexdigest(), data)
    keys = []
    for number, file in enumerate((FILE, second, FILE)):
        host = builder()
        entries = build(new_run_like(run, number), host, file)
        assert entries["calls"]["programs"]["/b"]["host"] == file.host
        keys.append(
            {source["name"]: source["key"] for _name, args in host.modules for source in args["sources"]}
        )
    assert keys[0]["calls"] != keys[1]["calls"]
    assert list(keys[1]) == ["calls"]  # nothing else is compiled again
    assert keys[2] == {}  # both are kept


def new_run_like(run: Path, number: int) -> Path:
    """Return a run directory that asks the same."""
    sweep = read.read_json(run, "sweep.json")
    assert sweep is not None
    return new_run(run.parent.parent / str(number), probes=sweep["probes"])


@pytest.mark.parametrize(
    ("file", "more", "error"),
    [
        (
            ProgramFile("/b", trouble="there is no such file"),
            {},
            "/b cannot be probed on any host with this kernel: there is no such file",
        ),
        (
            FILE,
            {"programs_trouble": ["web9: /c was x", "web1: /b was cut off"]},
            f"{LOST}web1: /b was cut off",
        ),
        (FILE, {}, f"{LOST}web1 did not hand it over"),
    ],
)
def test_what_could_not_be_had_costs_its_own_probe_only(
    run: Path, file: ProgramFile, more: dict[str, Any], error: str
) -> None:
    entries = build(run, builder(), file, **more)
    assert entries["tick"]["status"] == "built"
    assert (entries["calls"]["status"], entries["calls"]["error"]) == ("failed", error)
