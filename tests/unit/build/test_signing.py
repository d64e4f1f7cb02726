# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's key, and what it signs; looked at with the program that hosts use."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing

SWEEP = "20261123_071502_1f3a"


def accepted(signer: signing.Signer, signed: signing.Signed, folder: Path) -> bool:
    (folder / "signers").write_text(signer.allowed + "\n")
    (folder / "signature").write_text(signed.signature)
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        "signers",
        "-I",
        signing.PRINCIPAL,
        "-n",
        signing.NAMESPACE,
    ]
    done = subprocess.run([*command, "-s", "signature"], input=signed.text.encode(), cwd=folder, check=False)
    return done.returncode == 0


def test_a_signed_manifest_is_accepted_and_an_altered_or_foreign_one_is_not(tmp_path: Path) -> None:
    ours, theirs = signing.own(tmp_path / "ours"), signing.own(tmp_path / "theirs")
    signed = ours.sign(signing.module_list(SWEEP, {"nettop": "a" * 64, "smoke": "b" * 64}))
    assert accepted(ours, signed, tmp_path)
    assert not accepted(theirs, signed, tmp_path)
    assert not accepted(ours, signing.Signed(signed.text.replace("a", "c"), signed.signature), tmp_path)


def test_a_manifest_names_the_sweep_and_each_module() -> None:
    text = signing.module_list(SWEEP, {"b": "2" * 64, "a": "1" * 64})
    assert text.splitlines() == ["fleetdiag modules 1", f"sweep {SWEEP}", "1" * 64 + " a", "2" * 64 + " b"]


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "keys"
    with ThreadPoolExecutor(4) as pool:
        signers = list(pool.map(lambda _: signing.own(folder), range(4)))
    assert len({signer.public for signer in signers}) == 1
    assert (folder.stat().st_mode & 0o777, signers[0].key.stat().st_mode & 0o777) == (0o700, 0o600)
    assert signing.own(folder) == signers[0]


def test_a_key_that_cannot_be_used_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = signing.own(tmp_path)
    signer.key.chmod(0o644)
    with pytest.raises(FleetdiagError, match=r"modules: others can read the key .* remove it"):
        signing.own(tmp_path)
    signer.key.chmod(0o600)
    signer.key.write_text("no key")
    with pytest.raises(FleetdiagError, match="cannot sign with it"):
        signer.sign("x")
    signer.key.with_name("modules.pub").write_text("")
    with pytest.raises(FleetdiagError, match="is not a public key"):
        signing.own(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FleetdiagError, match="install openssh-client"):
        signer.sign("x")
