# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleetdiag.lab import boot, build_host, commands, images, keys, machines, machines_data, qemu, snapshots
from fleetdiag.lab.images import BuiltImage


def test_image_name_changes_with_its_recipe_and_keys(tmp_path: Path) -> None:
    ours, theirs = keys.ensure(tmp_path / "ours"), keys.ensure(tmp_path / "theirs")
    image = machines_data.FORKY
    names = {
        images.name(image, ours),
        images.name(image, theirs),
        images.name(machines_data.TRIXIE, ours),
        images.name(replace(image, packages=(*image.packages, "strace")), ours),
        images.name(replace(image, size_gb=9), ours),
    }
    assert len(names) == 5
    assert images.name(image, keys.ensure(tmp_path / "ours")) in names


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    made = keys.ensure(tmp_path)
    before = made.client.read_bytes()
    assert keys.ensure(tmp_path).client.read_bytes() == before
    assert made.client.stat().st_mode & 0o077 == 0
    assert made.known_hosts.read_text().startswith(f"{keys.HOST_ALIAS} ssh-ed25519 ")


def test_builder_name_follows_the_kernels() -> None:
    one = build_host.name({"6.12.1-amd64": "trixie", "7.2.1-amd64": "forky"})
    assert one == build_host.name({"7.2.1-amd64": "forky", "6.12.1-amd64": "trixie"})
    assert one != build_host.name({"6.12.2-amd64": "trixie", "7.2.1-amd64": "forky"})


def test_machine_listens_on_loopback_only(tmp_path: Path) -> None:
    ports = {"ssh": 2201, "http": 8001}
    command = qemu.command(machines_data.MACHINES["web1"], BuiltImage(tmp_path), "tcg", tmp_path, ports)
    network = next(word for word in command if word.startswith("user,"))
    assert network.split(",")[2:] == ["hostfwd=tcp:127.0.0.1:2201-:22", "hostfwd=tcp:127.0.0.1:8001-:80"]
    assert "systemd.hostname=web1" in command[-1]


def test_a_machine_gives_way_to_what_compiles_for_it(tmp_path: Path) -> None:
    command = qemu.command(
        machines_data.MACHINES["web1"], BuiltImage(tmp_path), "tcg", tmp_path, {"ssh": 1, "http": 2}
    )
    assert command[:4] == ["nice", "-n", "5", "qemu-system-x86_64"]
    group = Path("/proc/self/autogroup")
    if not group.exists():
        pytest.skip("this kernel shares its time among processes")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as child:
        machines.set_nice(child.pid)
        assert Path(f"/proc/{child.pid}/autogroup").read_text().endswith("nice 5\n")
        child.kill()


def test_tail_shows_the_end_without_control_characters(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"\n".join(b"line %d" % n for n in range(50)) + b"\n\x1b[0;31mlast\xff\r\n")
    assert commands.tail(log, 2).splitlines() == ["    line 49", "    [0;31mlast�"]
    assert "(no " in commands.tail(tmp_path / "missing")


def test_machines_of_the_site_share_a_network_that_is_the_labs_own(tmp_path: Path) -> None:
    def wire(name: str, lab: str) -> list[str]:
        folder = tmp_path / lab / "machines" / name
        machine = machines_data.MACHINES[name]
        ports = {"ssh": 1, **{service: 2 for service, _ in machine.services}}
        command = qemu.command(machine, BuiltImage(tmp_path), "tcg", folder, ports)
        return [word for word in command if "mcast=" in word]

    assert wire("web1", "a") == []
    assert wire("www1", "a") == wire("nfs1", "a") != wire("www1", "b")
    (shared,) = wire("www1", "a")
    assert shared.endswith("localaddr=127.0.0.1")


def test_cards_of_the_site_have_addresses_of_their_own() -> None:
    found = [machine.address for machine in machines_data.MACHINES.values() if machine.address]
    assert len(found) == len(machines_data.SITE) == len(set(found))
    assert len({address.rpartition(".")[2] for address in found}) == len(found)


def test_services_are_forwarded(tmp_path: Path) -> None:
    ports = {"ssh": 2201, "lb_a": 8001, "lb_b": 8002}
    command = qemu.command(machines_data.MACHINES["lb1"], BuiltImage(tmp_path), "tcg", tmp_path, ports)
    network = next(word for word in command if word.startswith("user,"))
    assert network.split(",")[3:] == ["hostfwd=tcp:127.0.0.1:8001-:8081", "hostfwd=tcp:127.0.0.1:8002-:8082"]


def test_a_snapshot_is_of_one_machine_image_and_emulation_wherever_it_is_made(tmp_path: Path) -> None:
    web1, image = machines_data.MACHINES["web1"], BuiltImage(tmp_path / "image-trixie-1")
    names = {
        snapshots.name(web1, image, "tcg"),
        snapshots.name(machines_data.MACHINES["web2"], image, "tcg"),
        snapshots.name(replace(web1, memory_mb=2048), image, "tcg"),
        snapshots.name(web1, BuiltImage(tmp_path / "image-trixie-2"), "tcg"),
        snapshots.name(web1, image, "kvm"),
    }
    assert len(names) == 5
    assert snapshots.name(web1, BuiltImage(tmp_path / "image-trixie-1"), "tcg") in names


def test_an_arm_machine_is_emulated_as_one_whatever_this_machine_can(tmp_path: Path) -> None:
    machine = machines_data.MACHINES["arm1"]
    command = qemu.command(machine, BuiltImage(tmp_path), "kvm", tmp_path, {"ssh": 1})
    assert command[3] == "qemu-system-aarch64"
    assert command[command.index("-accel") + 1].startswith("tcg")
    assert "console=ttyAMA0" in command[-1]


def test_an_image_of_another_machine_is_told_by_its_name_and_none_of_its_kernels_is_the_builders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = keys.ensure(tmp_path / "keys")
    built = []
    for image, release in (
        (machines_data.TRIXIE, "6.12.1-amd64"),
        (machines_data.TRIXIE_ARM, "6.12.1-arm64"),
    ):
        folder = tmp_path / images.name(image, own)
        folder.mkdir()
        (folder / "release").write_text(release)
        built.append(BuiltImage(folder))
    assert [image.architecture for image in built] == ["amd64", "arm64"]
    assert [image.suite for image in built] == ["trixie", "trixie"]
    monkeypatch.setattr(build_host.paths, "cache_dir", lambda: tmp_path)
    (tmp_path / build_host.name({"6.12.1-amd64": "trixie"})).mkdir()
    assert build_host.ensure(built).name == build_host.name({"6.12.1-amd64": "trixie"})


def test_nobody_pays_for_the_arm_machine_who_does_not_ask_for_it() -> None:
    for machines_ in machines_data.PROFILES.values():
        assert not set(machines_) & set(machines_data.ARM)
    assert boot._wanted(["web1"], with_old=False) == ["web1"]
    assert boot._wanted(["web1"], with_old=False, with_arm=True) == ["web1", "arm1"]
