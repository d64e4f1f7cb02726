# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels are compiled for, and by whom: from the preflights of the run directory, without asking anybody."""

from __future__ import annotations

from pathlib import Path

from fakehost import FakeHost, act
from fakesweep import BUILD_ID, KERNEL, facts, new_run

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write


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
