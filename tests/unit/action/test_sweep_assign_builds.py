# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels are compiled for, and by whom: from the preflights of the run directory, without asking anybody."""

from __future__ import annotations

from pathlib import Path

from fakehost import FakeHost, act
from fakesweep import BUILD_ID, KERNEL, MANIFEST, facts, new_run

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import (
    ProgramFile,
    ProgramsRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord


def test_each_kernel_has_one_build_and_hosts_that_are_known_need_none(tmp_path: Path) -> None:
    run = new_run(tmp_path, "tick", "tock", builders=["b1"])
    for host, change in (
        ("web1", {}),
        ("web2", {"kernel": "6.1.0-9-amd64", "remembered": True}),
        ("web3", {"verdict": "refused"}),
    ):
        write.write_host(run, host, "preflight", facts(**change))
    host = FakeHost()
    done = act("sweep_assign_builds", host, run_dir=str(run))
    (build,) = done["builds"].values()
    assert (build["kernel"], build["build_id"], build["leader"]) == (KERNEL, BUILD_ID, "web1")
    assert (build["builders"], build["names"], build["whole"]) == (["b1"], ["smoke", "tick", "tock"], True)
    assert (done["module_files"], done["debuginfo_kernels"], host.asked) == ([], [], [])


def test_a_damaged_preflight_costs_no_other_host(run: Path) -> None:
    write.write_host(run, "web1", "preflight", facts(kernel="../../evil"))
    write.write_host(run, "web2", "preflight", facts())
    done = act("sweep_assign_builds", FakeHost(), run_dir=str(run))
    assert list(done["builds"]) == ["web2"]
    (event,) = read.read_events(run)
    assert (event.host, event.status) == ("web1", "failed")


def test_a_run_directory_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    done = act("sweep_assign_builds", FakeHost(), run_dir=str(tmp_path / "none"))
    assert done["failed"]
    assert str(tmp_path / "none") in done["msg"]
    assert "fault of fleetdiag" not in done["msg"]


def test_the_program_that_most_hosts_of_a_kernel_have_is_compiled_for(tmp_path: Path) -> None:
    script = 'probe process("/b").function("f") { n++ }'
    entry = {"name": "calls", "manifest": MANIFEST, "parameters": {}, "nonce": "00", "script": script}
    run = new_run(tmp_path, probes=[entry])
    for host, sha256 in (("web1", "ab" * 32), ("web2", "cd" * 32), ("web3", "cd" * 32)):
        write.write_host(
            run, host, "preflight", facts(boot_id=f"5e3f2a10-9f2a-4a5a-8d36-00000000000{host[-1]}")
        )
        file = ProgramFile("/b", "/b", sha256, "ef" * 20, 12, host)
        write.host_record(run, host, ProgramsRecord({"/b": file}))
    (build,) = act("sweep_assign_builds", FakeHost(), run_dir=str(run))["builds"].values()
    assert build["leader"] == "web1"
    assert (build["programs"]["/b"]["host"], build["programs"]["/b"]["sha256"]) == ("web2", "cd" * 32)


def test_hosts_of_another_machine_are_refused_and_the_build_says_which_it_is_for(tmp_path: Path) -> None:
    run = new_run(tmp_path, "tick")
    for number, machine in enumerate(("aarch64", "x86_64", "x86_64"), 1):
        boot = f"5e3f2a10-9f2a-4a5a-8d36-00000000000{number}"
        write.write_host(run, f"web{number}", "preflight", facts(boot_id=boot, arch=machine))
    (build,) = act("sweep_assign_builds", FakeHost(), run_dir=str(run))["builds"].values()
    assert (build["leader"], build["machine"]) == ("web2", "x86_64")
    refused = read.of_host(run, "web1", PreflightRecord)
    assert refused is not None
    assert (refused.verdict, refused.reason.split(",")[0]) == ("refused", "is aarch64")
