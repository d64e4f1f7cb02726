# SPDX-License-Identifier: GPL-3.0-or-later
"""What guard.sh looks at before it loads a module. It runs here, with a home of its own and a stand-in for systemd,
which notes what it is to start."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from modulehost import MODULE, NONCE, PROBE, SHA256, SIGNED, SWEEP, Host

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_module_as_the_controller_signed_it_is_loaded_under_the_name_of_the_sweep(host: Host) -> None:
    reply = host.arm()
    assert (reply.verdict, reply.manifest) == ("ok", "verified")
    assert reply.sessions[PROBE][0] == "armed"
    assert host.loaded.read_text() == f"fd_{SWEEP}_{PROBE}.ko\n"
    assert host.module.read_bytes() == (
        MODULE.replace(b"00000000_000000_0000", SWEEP.encode()).replace(b"nonce_of_session", NONCE.encode())
    )


def test_one_byte_changed(host: Host) -> None:
    host.kept.write_bytes(MODULE[:-1] + b"\1")
    assert "damaged" in host.refused()
    assert host.arm().missing == [SHA256]  # what was altered is gone, and is sent again


def test_a_link(host: Host, tmp_path: Path) -> None:
    host.kept.rename(tmp_path / "same.ko")
    host.kept.symlink_to(tmp_path / "same.ko")
    assert f"{host.kept} is no regular file but a link" in host.refused()
    assert (tmp_path / "same.ko").read_bytes() == MODULE


def test_what_cannot_be_looked_at_is_not_loaded(host: Host) -> None:
    host.program("find", f'#!/bin/sh\ncase $* in *{SHA256}*) exit 1 ;; esac\nexec /usr/bin/find "$@"\n')
    assert "cannot be looked at" in host.refused()
    assert host.kept.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_owner(host: Host) -> None:
    os.chown(host.kept, 1, -1)
    assert f"{host.kept} belongs to another user" in host.refused()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_others_can_write(host: Host, mode: int) -> None:
    host.kept.chmod(mode)
    assert f"{host.kept} can be written by others than root" in host.refused()


@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("folder", ["home", "home/modules", "home/sweeps", "home/guard"])
def test_a_directory_others_can_write(host: Host, tmp_path: Path, folder: str, mode: int) -> None:
    (tmp_path / folder).chmod(mode)
    with pytest.raises(
        FleetdiagError, match=f"{tmp_path / folder} is no directory that root alone can write"
    ):
        host.arm()
    assert not host.loaded.exists()


@pytest.mark.parametrize("folder", ["modules", "sweeps", "guard"])
def test_a_directory_that_is_a_link(host: Host, tmp_path: Path, folder: str) -> None:
    (host.home / folder).rename(tmp_path / "elsewhere")
    (host.home / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FleetdiagError, match="is no directory that root alone can write"):
        host.arm()


def test_a_directory_above_that_others_can_write(host: Host, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(FleetdiagError, match=f"{tmp_path}, above the modules, can be written by others"):
        host.arm()
    tmp_path.chmod(0o1777)
    assert host.arm().verdict == "ok"


def test_a_module_that_is_not_in_the_manifest(host: Host) -> None:
    signed = signing.own().sign(signing.module_list(SWEEP, {PROBE: "0" * 64}))
    (_, _, said) = host.arm(manifest=signed).sessions[PROBE]
    assert "is not in the manifest" in said
    assert not host.loaded.exists()


@pytest.mark.parametrize("who", ["another", "nobody"])
def test_a_manifest_that_this_controller_did_not_sign(host: Host, tmp_path: Path, who: str) -> None:
    text = signing.module_list(SWEEP, {PROBE: SHA256})
    signature = signing.own(tmp_path / "other").sign(text).signature if who == "another" else ""
    with pytest.raises(FleetdiagError, match="not signed by the key of this controller: nothing is loaded"):
        host.arm(manifest=signing.Signed(text, signature))
    assert not host.loaded.exists()
    assert not (host.home / "sweeps" / SWEEP).exists()


def test_a_manifest_of_another_sweep(host: Host) -> None:
    signed = signing.own().sign(signing.module_list("20261123_071502_2222", {PROBE: SHA256}))
    with pytest.raises(FleetdiagError, match=f"not one of sweep {SWEEP}"):
        host.arm(manifest=signed)


def test_a_host_that_cannot_verify_says_so(host: Host) -> None:
    host.program("ssh-keygen", "#!/bin/sh\necho 'unknown option -- Y' >&2\nexit 1\n")
    assert host.arm().manifest == "unverified"
    host.kept.write_bytes(MODULE[:-1] + b"\1")
    host.loaded.unlink()
    assert "damaged" in host.refused()  # its checksum came over ssh


def test_a_module_signed_for_the_kernel_keeps_its_name_and_every_byte(host: Host) -> None:
    sha256 = hashlib.sha256(SIGNED).hexdigest()
    host.guard.put(sha256, SIGNED)
    assert host.arm(sha256).sessions[PROBE][0] == "armed"
    assert host.loaded.read_text() == f"fd_00000000_000000_0000_{PROBE}.ko\n"
    assert host.module.read_bytes() == SIGNED


@pytest.mark.parametrize("there", ["yes", "no"])
def test_a_preflight_says_whether_the_kernel_tells_its_types(tmp_path: Path, there: str) -> None:
    types = tmp_path / "vmlinux"
    if there == "yes":
        types.touch()
    host = Host(tmp_path, {"/sys/kernel/btf/vmlinux": str(types)})
    assert untrusted.facts(host.guard.install_and_preflight(), "web1")["btf"] == there
