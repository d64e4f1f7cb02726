# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    FAILED,
    KernelBuild,
    ModuleBuild,
    ModuleListRecord,
    Tried,
)

KERNEL = "6.12.90+deb13-amd64"
BUILD = KernelBuild(
    KERNEL,
    "b2",
    "5.6",
    probes={
        "kept": ModuleBuild("cached", "aa", 5),
        "built": ModuleBuild(
            "built", "bb", 6, 1.5, types="btf", functions=("vfs_read",), maker="1", builder="b1", stap="5.6"
        ),
        "broken": ModuleBuild(FAILED, seconds=0.5, error="a known reason", said="no match", line=None),
    },
    tried=(Tried("b1", "it is gone"),),
    signer="cc",
)
BEFORE = {
    "kernel": KERNEL,
    "builder": "b2",
    "stap": "5.6",
    "probes": {
        "kept": {"status": "cached", "sha256": "aa", "bytes": 5, "error": ""},
        "built": {
            "types": "btf",
            "functions": ["vfs_read"],
            "small": [],
            "of_modules": [],
            "maker": "1",
            "status": "built",
            "sha256": "bb",
            "bytes": 6,
            "seconds": 1.5,
            "error": "",
            "line": None,
            "builder": "b1",
            "stap": "5.6",
        },
        "broken": {
            "status": "failed",
            "sha256": "",
            "bytes": 0,
            "seconds": 0.5,
            "error": "a known reason",
            "line": None,
            "said": "no match",
        },
    },
    "error": "",
    "tried": [{"builder": "b1", "reason": "it is gone"}],
    "signer": "cc",
}


def test_it_is_written_as_it_was_byte_by_byte_and_read_again(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    write.build(tmp_path, BUILD)
    assert (tmp_path / "builds" / f"{KERNEL}.json").read_text() == json.dumps(BEFORE, indent=1) + "\n"
    assert read.build_of(tmp_path, KERNEL) == BUILD
    assert BUILD.checksums == {"kept": "aa", "built": "bb"}


@pytest.mark.parametrize("junk", [None, 5, "x", [1, None], {"x": 1}, {"x": {"functions": 5}}, True])
def test_of_a_damaged_one_what_can_be_is_read(junk: object) -> None:
    damaged = dict.fromkeys((field.name for field in fields(KernelBuild)), junk)
    read_back = KernelBuild.from_json({**damaged, "stap": "5.6"})
    assert read_back.stap == "5.6"
    assert all(isinstance(module, ModuleBuild) for module in read_back.probes.values())


def test_a_failure_names_its_line() -> None:
    assert ModuleBuild(FAILED, error="no match", line=7).failure == "line 7: no match"
    assert ModuleBuild(FAILED).failure == "SystemTap gave no reason"


def test_a_signed_list_of_modules_is_kept_with_every_space(tmp_path: Path) -> None:
    signed = ModuleListRecord("fleetdiag modules 1\nsweep x\n", "-----BEGIN SSH SIGNATURE-----\nAA\n")
    write.module_list(tmp_path, KERNEL, signed)
    assert read.module_list(tmp_path, KERNEL) == signed
    kept = json.loads((tmp_path / "manifests" / f"{KERNEL}.json").read_text())
    assert kept == {"text": signed.text, "signature": signed.signature}
    assert read.module_list(tmp_path, "other") is None
