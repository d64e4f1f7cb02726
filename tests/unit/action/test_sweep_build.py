# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own steps of a build, on this machine with a stap that wants a kernel's debuginfo for one script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakesweep import MANIFEST

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import symbols
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write

ROLE = Path(__file__).resolve().parents[3] / "collection" / "roles" / "sweep"
OWN_BTF = Path("/sys/kernel/btf/vmlinux")
KERNEL = "6.1.0-test"
NAMES = ("plain", "wants", "optional")
STAP = """#!/bin/sh
case $1 in -V) echo "Systemtap translator/driver (version 5.6)"; exit 0 ;; esac
echo "$*" >>CALLS
point='kernel.function(\\"vfs_read@btf\\")'
while [ "$1" != -m ]; do shift; done
name=$2
case $name in *_optional) [ -n "${SYSTEMTAP_DEBUGINFO_PATH:-}" ] || point=begin ;; *_wants)
    if ! [ -s "${SYSTEMTAP_DEBUGINFO_PATH:-/nowhere}/boot/vmlinux-KERNEL" ]; then
        echo "WARNING: cannot find module kernel debuginfo: No DWARF information found [man warning::debuginfo]" >&2
        echo "semantic error: while resolving probe point: identifier 'kernel' at <input>:1:7" >&2
        echo "semantic error: no match" >&2
        exit 1
    fi
esac
mkdir -p "$TMPDIR/stapAbC"
echo 'STAP_PROBE_INIT(0, &p, "'"$point"'", "a", "x.stp:1:1"),' >"$TMPDIR/stapAbC/${name}_src.c"
echo module >"$name.ko"
"""
NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(OWN_BTF, os.R_OK), reason="needs root and a kernel with BTF"
)


def own_build_id() -> str:
    return symbols.build_id(Path("/sys/kernel/notes").read_bytes())


def build(folder: Path, build_id: str) -> dict[str, Any]:
    """Return {probe: entry} of the kernel's record after the role's build."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "stap").write_text(STAP.replace("KERNEL", KERNEL).replace("CALLS", str(folder / "calls")))
    (programs / "make").write_text("#!/bin/sh\n")  # this machine has no headers of such a kernel
    for program in programs.iterdir():
        program.chmod(0o755)
    probes = [
        {"name": name, "manifest": MANIFEST, "parameters": {}, "nonce": "00", "script": "probe begin {}"}
        for name in NAMES
    ]
    sweep = {
        "id": "20261123_071502_1f3a",
        "hosts": ["web1"],
        "builders": ["web1"],
        "window_s": 30,
        "probes": probes,
    }
    run = write.create(folder / f"runs{len(list(folder.glob('runs*')))}", sweep)
    wanted = {
        "kernel": KERNEL,
        "build_id": build_id,
        "builders": ["web1"],
        "leader": "web1",
        "names": list(NAMES),
        "whole": True,
        "stapruns": ["5.6"],
        "machine": os.uname().machine,
    }
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    variables = {
        "_sweep_build": wanted,
        **{name: own[name] for name in ("_sweep_builder", "_sweep_builder_unreachable")},
        "__sweep": {"run_dir": str(run)},
        "__sweep_plan": {"module_files": [], "debuginfo_kernels": []},
        "sweep_install": False,
        "sweep_store_mb": 100,
        "sweep_builder_cache_mb": 100,
    }
    tasks = [{"ansible.builtin.include_tasks": str(ROLE / "tasks" / "build_on.yml")}]
    play = [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}]
    (folder / "play.yml").write_text(json.dumps(play))
    host = {"ansible_connection": "local", "builder_cache": str(folder / "cache")}
    (folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": {"web1": host}}}))
    ansible = "from ansible.cli.playbook import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", ansible, "-i", str(folder / "inventory.yml"), str(folder / "play.yml")],
        env={
            **os.environ,
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "kept"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "PATH": f"{programs}:{os.environ['PATH']}",
        },
        text=True,
        capture_output=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    record = read.read_json(run, f"builds/{KERNEL}.json")
    assert record is not None, done.stdout + done.stderr
    entries = record["probes"]
    assert isinstance(entries, dict)
    return entries


@NEEDS_ROOT
def test_a_script_that_wants_more_than_headers_is_built_with_what_the_kernel_tells(tmp_path: Path) -> None:
    entries = build(tmp_path, own_build_id())
    assert (entries["plain"]["status"], entries["plain"].get("types")) == ("built", None)
    assert (entries["wants"]["status"], entries["wants"]["error"]) == ("built", "")
    assert (entries["wants"]["types"], entries["wants"]["functions"]) == ("btf", ["vfs_read"])
    assert (entries["optional"]["status"], entries["optional"].get("types")) == ("built", "btf")
    assert entries["smoke"]["types"] == "btf"  # what is tried first on a host tries these types
    calls = (tmp_path / "calls").read_text()
    again = build(tmp_path, own_build_id())
    assert (again["wants"]["status"], again["wants"]["functions"]) == ("cached", ["vfs_read"])
    assert (tmp_path / "calls").read_text() == calls


@NEEDS_ROOT
def test_a_host_that_says_another_build_id_is_refused_and_the_reason_is_in_the_record(tmp_path: Path) -> None:
    entries = build(tmp_path, "ab" * 20)
    assert entries["plain"]["status"] == "built"
    assert entries["wants"]["status"] == "failed"
    assert entries["wants"]["error"].startswith("needs debuginfo: ")
    assert f"it hands over a kernel with build id {own_build_id()}" in entries["wants"]["error"]


def test_a_kernel_without_a_build_id_is_not_asked(tmp_path: Path) -> None:
    entries = build(tmp_path, "")
    assert entries["wants"]["error"].startswith("needs debuginfo: ")
    assert "wanting" not in entries["wants"]
