# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders that die, are broken, or are asked for the same thing twice. Only the lab's builder works here; the host in
whose name it is built is never reached."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sweeps import ENVIRONMENT, ROOT, ansible, builder_kernel

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import assignment
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import request
from fleetdiag.lab.model import Lab

pytestmark = pytest.mark.lab

PLAY = """\
- hosts: target1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: fleetdiag.systemtap.sweep, tasks_from: build, public: true}
"""
BROKEN = "/run/fd-broken"


@dataclass
class Site:
    """An inventory with several builders, a catalog with a probe that was never compiled, a cache of its own."""

    lab: Lab
    folder: Path

    @property
    def kernel(self) -> str:
        """For which everything is built here."""
        return builder_kernel(self.lab)

    def start(
        self, builders: dict[str, Any], *, name: str = "run", **variables: Any
    ) -> tuple[Path, list[str]]:
        """A run directory and the command that has its modules built by these builders, in this order."""
        runs = self.folder / "runs"
        sweep = request.new_sweep(
            now=datetime.now(UTC),
            version="0",
            probes=catalog.find(["fresh"], [self.folder / "catalog"]),
            values={"fresh": {}},
            window_s=1,
            hosts=["target1"],
            peers={},
            conditions={},
        )
        run = write.create(
            runs, {**sweep.to_json(), "catalogs": [str(self.folder / "catalog")], "builders": list(builders)}
        )
        facts = PreflightRecord(host="target1", kernel=self.kernel, verdict="ok", staprun="5.1")
        (build,) = assignment.builds([facts], list(builders), ["smoke", "fresh"])
        inventory = {
            "all": {
                "hosts": {"target1": {"ansible_port": 9}},
                "children": {"systemtap_builders": {"hosts": builders}},
            }
        }
        paths = {kind: self.folder / f"{name}.{kind}" for kind in ("json", "yml")}
        paths["json"].write_text(json.dumps(inventory))
        paths["yml"].write_text(PLAY)
        given = {
            "sweep_install": False,
            "__sweep": {"run_dir": str(run)},
            "__sweep_plan": {"builds": {"target1": vars(build)}, "module_files": [], "debuginfo_kernels": []},
            **variables,
        }
        command = [
            *(sys.executable, "-m", "ansible", "playbook"),
            "-i",
            str(self.lab.inventory),
            "-i",
            str(paths["json"]),
            str(paths["yml"]),
        ]
        return run, [*command, "-e", json.dumps(given)]

    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "XDG_CACHE_HOME": str(self.folder / "cache"), "ANSIBLE_PIPELINING": "1"}

    def build(self, builders: dict[str, Any], **variables: Any) -> tuple[dict[str, Any], str]:
        """builds/<kernel>.json after the play, and what it printed."""
        run, command = self.start(builders, **variables)
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return self.record(run), done.stdout + done.stderr

    def record(self, run: Path) -> dict[str, Any]:
        return dict(json.loads((run / "builds" / f"{self.kernel}.json").read_text()))

    def port(self) -> int:
        """Of the builder's sshd."""
        listed = json.loads(ansible("inventory", "-i", str(self.lab.inventory), "--host", "builder").stdout)
        return int(listed["ansible_port"])


@pytest.fixture
def site(lab: Lab, never_built: Path) -> Site:
    return Site(lab, never_built.parent)


@pytest.fixture
def broken(lab: Lab) -> Iterator[dict[str, Any]]:
    """The same builder with a `stap` that says its version and can do no more."""
    script = (
        '#!/bin/sh\n[ "$1" != -V ] || { echo "version 5.6/0.1"; exit 0; }\necho "out of order" >&2\nexit 1\n'
    )
    shell = f'#!/bin/sh\nPATH={BROKEN}:$PATH exec /bin/sh "$@"\n'
    lab.ssh(
        "builder",
        f"mkdir -p {BROKEN}; cat >{BROKEN}/stap <<'END'\n{script}END\ncat >{BROKEN}/sh <<'END'\n{shell}END\n"
        f"chmod 755 {BROKEN}/stap {BROKEN}/sh",
    )
    yield {"ansible_shell_executable": f"{BROKEN}/sh"}
    lab.ssh("builder", f"rm -r {BROKEN}")


def test_the_next_builder_takes_over_from_one_that_is_gone_and_one_that_is_broken(
    site: Site, broken: dict[str, Any]
) -> None:
    broken["ansible_port"] = site.port()
    found, said = site.build({"gone": {"ansible_port": 9}, "bad": broken, "builder": {}})
    # the smoke module may be in the builder's cache, and is then given by whichever comes first
    fresh = found["probes"]["fresh"]
    assert (fresh["status"], fresh["builder"]) == ("built", "builder")
    assert [item["builder"] for item in found["tried"]] == ["gone", "bad"]
    assert found["tried"][0]["reason"] == "the builder gone cannot be reached"
    assert "out of order" in found["tried"][1]["reason"]
    assert found["error"] == ""
    assert "builder takes over" in " ".join(said.split())


def test_when_no_builder_is_left_the_kernel_is_refused_with_the_reason_of_each(
    site: Site, broken: dict[str, Any]
) -> None:
    broken["ansible_port"] = site.port()
    found, _ = site.build({"bad": broken, "gone": {"ansible_port": 9}})
    assert found["error"].startswith("bad: out of order; gone: the builder gone cannot be reached")


def test_a_builder_that_dies_during_a_build_is_replaced(site: Site) -> None:
    with dying(site.port()) as port:
        found, _ = site.build({"dies": {"ansible_port": port}, "builder": {}})
    assert found["tried"][0]["builder"] == "dies"
    assert "the connection was lost while it compiled" in found["tried"][0]["reason"]
    assert {entry["builder"] for entry in found["probes"].values()} == {"builder"}
    assert {entry["status"] for entry in found["probes"].values()} <= {"built", "cached"}


def test_two_sweeps_at_once_compile_a_module_once(site: Site) -> None:
    builders: dict[str, Any] = {"builder": {}}
    started = []
    for name in ("one", "two"):
        run, command = site.start(builders, name=name)
        process = subprocess.Popen(
            command,
            env=site.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
        )
        started.append((run, process))
    said = [process.communicate()[0] for _, process in started]
    statuses = sorted(site.record(run)["probes"]["fresh"]["status"] for run, _ in started)
    assert statuses == ["built", "cached"], said
    assert sum("another sweep compiles the same modules" in text for text in said) <= 1


def test_a_damaged_module_is_built_again_and_said_once(site: Site, lab: Lab) -> None:
    builders: dict[str, Any] = {"builder": {}}
    first, _ = site.build(builders)
    sha256 = first["probes"]["fresh"]["sha256"]
    kept = site.folder / "cache" / "fleetdiag" / "modules" / f"{sha256}.ko"
    kept.write_bytes(kept.read_bytes()[:-1])
    folder = "/var/cache/fleetdiag/*/modules"
    # Scripts that differ in comments become the same module; the one just built was written last.
    damaged, *_ = lab.ssh("builder", f"ls -t $(grep -l {sha256} {folder}/*.sha256)").stdout.split()
    lab.ssh("builder", f"printf x | dd of={damaged.removesuffix('.sha256')} bs=1 seek=4000 conv=notrunc")
    again, said = site.build(builders)
    said = " ".join(said.split())
    assert again["probes"]["fresh"]["status"] == "built"
    assert said.count("was damaged, is removed and built again") == 2  # here and on the builder
    assert ModuleStore(site.folder / "cache" / "fleetdiag").read(again["probes"]["fresh"]["sha256"])
    last, said = site.build(builders)
    assert (last["probes"]["fresh"]["status"], "damaged" in said) == ("cached", False)


def test_a_module_is_signed_with_the_builders_key(site: Site, lab: Lab) -> None:
    folder = "/run/fd-signing"
    lab.ssh(
        "builder",
        f"mkdir -p {folder}; openssl req -new -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=fleetdiag-test"
        f" -keyout {folder}/key.pem -out {folder}/cert.pem",
    )
    names = {"builder_sign_key": f"{folder}/key.pem", "builder_sign_cert": f"{folder}/cert.pem"}
    try:
        signed, _ = site.build({"builder": names})
        plain, _ = site.build({"builder": {}})
        wrong, _ = site.build({"builder": {**names, "builder_sign_key": f"{folder}/absent"}})
    finally:
        lab.ssh("builder", f"rm -r {folder}")
    modules = ModuleStore(site.folder / "cache" / "fleetdiag")
    ends = [modules.read(found["probes"]["fresh"]["sha256"])[-28:] for found in (signed, plain)]
    assert [end == b"~Module signature appended~\n" for end in ends] == [True, False]
    # The same certificate: what was signed with it is still there.
    assert wrong["probes"]["fresh"]["status"] == "cached"


class dying:  # noqa: N801  (a context manager that reads like a function)
    """A port that leads to the builder until its compiler is at work, and then nowhere."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._received = 0

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._end()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink, source is near), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, towards_builder: bool) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                self._received += len(data) if towards_builder else 0
                # The module with its scripts is far larger than everything before it.
                if self._received > 60_000:
                    self._end()
        except OSError:
            pass

    def _end(self) -> None:
        for each in (self._listener, *self._sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
