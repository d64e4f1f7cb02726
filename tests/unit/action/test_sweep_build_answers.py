# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a builder's answers, good and bad; test_sweep_build has the role's steps with a real shell."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from fakehost import FakeHost, act
from fakesweep import BUILD_ID, KERNEL, STAP, STAPRUN, keep_modules

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read

MODULE = b"\x7fELF module"
SUM = hashlib.sha256(MODULE).hexdigest()
GOOD = {"status": "built", "path": "/cache/x.ko", "sha256": SUM, "seconds": 2.0, "error": "", "line": None}


def compiled(args: dict[str, Any]) -> dict[str, Any]:
    """Answer as stap_compile does when all is well."""
    return {"modules": [{**GOOD, "name": source["name"]} for source in args["sources"]]}


def sent(data: bytes = MODULE) -> str:
    return b64encode(gzip.compress(data)).decode()


def builder(module: Any = compiled, answer: Any = None) -> FakeHost:
    return FakeHost("b1").runs(module).says("gzip -1c", sent() if answer is None else answer)


def build(
    run: Path, host: FakeHost, builders: tuple[str, ...] = ("b1", "b2"), of: str = "x86_64", **more: Any
) -> dict[str, Any]:
    """Return what a turn of b1 gives. of: the machine of the kernel's hosts."""
    wanted = {
        "machine": of,
        "kernel": KERNEL,
        "build_id": BUILD_ID,
        "builders": list(builders),
        "names": ["smoke", "tick"],
        "stapruns": [STAPRUN],
    }
    return act("sweep_build", host, run_dir=str(run), build=wanted, builder="b1", **{"stap": STAP, **more})


def record(run: Path) -> dict[str, Any]:
    kept = read.read_json(run, f"builds/{KERNEL}.json")
    assert kept is not None
    return kept


def test_modules_are_fetched_and_recorded_and_kept_for_the_next_sweep(run: Path) -> None:
    host = builder()
    done = build(run, host)
    assert (done["changed"], done["counts"], done["errors"], done["next"]) == (True, {"built": 2}, {}, "")
    kept = record(run)
    assert {entry["sha256"] for entry in kept["probes"].values()} == {SUM}
    assert (kept["builder"], kept["stap"], kept["error"]) == ("b1", STAP, "")
    ((name, args),) = host.modules
    assert name == "fleetdiag.systemtap.stap_compile"
    assert [source["name"] for source in args["sources"]] == ["smoke", "tick"]


def test_what_the_controller_has_is_not_compiled_again(run: Path) -> None:
    sums = keep_modules(run)
    host = FakeHost("b1")
    done = build(run, host)
    assert (done["changed"], done["counts"]) == (False, {"cached": 2})
    assert {name: entry["sha256"] for name, entry in record(run)["probes"].items()} == sums
    assert (host.asked, host.modules) == ([], [])


def test_check_mode_says_what_would_be_compiled_and_asks_nobody(run: Path) -> None:
    host = FakeHost("b1")
    done = build(run, host, check_mode=True)
    assert (done["would_compile"], done["changed"]) == (["smoke", "tick"], True)
    assert done["msg"] == f"for {KERNEL}: b1 would compile smoke, tick"
    sums = keep_modules(run)
    done = build(run, host, check_mode=True)
    assert (done["would_compile"], done["changed"]) == ([], False)
    assert done["msg"] == f"for {KERNEL}: nothing to compile; kept from before: smoke, tick"
    assert {name: entry["sha256"] for name, entry in record(run)["probes"].items()} == sums
    done = build(run, host, check_mode=True, stap="")
    assert done["msg"].endswith("b1 would compile smoke, tick, after SystemTap was installed there")
    assert (host.asked, host.modules) == ([], [])


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (
            builder(lambda _: {"failed": True, "msg": "no space\x1b[2J"}),
            f"compiling for kernel {KERNEL} failed",
        ),
        (
            builder(lambda _: {"unreachable": True, "msg": "timed out"}),
            "the connection was lost while it compiled",
        ),
        (builder(answer=sent(b"another")), "the module of smoke changed between the builder and here"),
        (builder(answer="!!"), "the module /cache/x.ko could not be read from the builder"),
        (builder(answer=(1, "", "gzip: no such file\n")), "the module /cache/x.ko could not be read"),
        (builder(answer=AnsibleConnectionFailure("timed out")), "the connection was lost while it compiled"),
    ],
    ids=["refused", "unreachable", "changed", "garbled", "unreadable", "lost"],
)
def test_a_fault_of_the_builder_is_for_the_next_one_and_costs_no_host(
    run: Path, host: FakeHost, why: str
) -> None:
    done = build(run, host)
    assert not done.get("failed")
    assert (done["next"], done["changed"]) == ("b2", False)
    (tried,) = record(run)["tried"]
    assert tried["builder"] == "b1"
    assert tried["reason"].startswith(why)
    assert "\x1b" not in tried["reason"]


def test_a_script_with_a_fault_of_its_own_costs_no_other_and_no_second_builder(run: Path) -> None:
    def one_fails(args: dict[str, Any]) -> dict[str, Any]:
        bad = {"status": "failed", "error": "parse error: expected statement", "line": 3, "seconds": 1.0}
        answer = compiled(args)
        return {"modules": [answer["modules"][0], {**bad, "name": "tick"}]}

    done = build(run, builder(one_fails))
    assert (done["counts"], done["next"]) == ({"built": 1, "failed": 1}, "")
    assert "parse error" in done["errors"]["tick"]
    assert record(run)["probes"]["tick"]["line"] == 3


def test_a_builder_whose_modules_no_host_runs_compiles_nothing(run: Path) -> None:
    host = FakeHost("b1")
    done = build(run, host, stap="")
    assert (done["next"], host.modules) == ("b2", [])


def test_the_last_builder_leaves_the_reason_in_the_record(run: Path) -> None:
    build(run, builder(lambda _: {"failed": True, "msg": "no space"}), ("b1",))
    kept = record(run)
    assert kept["error"] == f"compiling for kernel {KERNEL} failed: no space"
    assert kept["remedy"]


def test_a_kernel_that_is_none_is_refused(run: Path) -> None:
    wanted = {"kernel": "../x", "builders": ["b1"], "names": ["smoke"]}
    done = act("sweep_build", FakeHost("b1"), run_dir=str(run), build=wanted, builder="b1")
    assert done["msg"].startswith("a host says that its kernel is")


def test_check_mode_compiles_nothing(run: Path) -> None:
    host = FakeHost("b1")
    wanted = {"kernel": KERNEL, "builders": ["b1"], "names": ["smoke"]}
    done = act("sweep_build", host, check_mode=True, run_dir=str(run), build=wanted, builder="b1")
    assert done["would_run"]
    assert (host.modules, read.read_builds(run)) == ([], {})


def typed(args: dict[str, Any]) -> dict[str, Any]:
    """Answer as a builder that has a probe with the kernel's own types, and cannot compile what tests these."""
    origin = {"types": "btf", "functions": ["vfs_read"], "maker": MAKER}
    answers = []
    for source in args["sources"]:
        if "vfs_write" in source["script"]:
            answers.append(
                {
                    "name": source["name"],
                    "status": "failed",
                    "error": "semantic error: no match",
                    "seconds": 1.0,
                }
            )
        else:
            answers.append({**GOOD, "name": source["name"], **(origin if source["name"] == "tick" else {})})
    return {"modules": answers}


def test_a_probe_with_the_kernels_own_types_wants_a_test_of_them(run: Path) -> None:
    done = build(run, builder(typed))
    assert done["kernel_info"] == ["smoke"]  # the kernel is to be asked, to compile that
    kept = record(run)["probes"]
    assert (kept["tick"]["types"], kept["smoke"]["sha256"]) == ("btf", SUM)


def test_a_probe_whose_types_cannot_be_tested_is_not_handed_out(run: Path) -> None:
    build(run, builder(typed))
    build(run, builder(typed), kernel_info_trouble="it did not answer")
    kept = record(run)["probes"]
    assert kept["smoke"]["sha256"] == SUM  # others still run
    assert kept["tick"]["status"] == "failed"
    assert kept["tick"]["error"].startswith(
        "it was built with what the kernel tells of itself (BTF), and the test"
    )
    assert "semantic error: no match" in kept["tick"]["error"]


def test_a_test_that_was_compiled_before_takes_the_place_of_the_smoke_module(run: Path) -> None:
    test = sources.self_test(stap=STAP, kernel=KERNEL, build_id=BUILD_ID)
    kept = ModuleStore().put(
        test.key, b"the test", {"types": "btf", "functions": ["vfs_write"], "maker": MAKER}
    )
    assert build(run, builder(typed))["kernel_info"] == []
    assert record(run)["probes"]["smoke"]["sha256"] == kept


def test_a_builder_is_told_the_machine_of_the_hosts(run: Path) -> None:
    host = builder()
    done = build(run, host, of="aarch64", machine="x86_64")
    assert done["counts"] == {"built": 2}
    ((_name, args),) = host.modules
    assert args["machine"] == "aarch64"


def test_a_machine_that_a_builder_cannot_compile_for_is_for_the_next_one(run: Path) -> None:
    host = builder()
    done = build(run, host, of="s390x", machine="x86_64")
    assert (done["next"], host.modules) == ("b2", [])
    (tried,) = record(run)["tried"]
    assert tried["reason"] == "a builder that is x86_64 does not compile for hosts that are s390x"


def test_a_machine_that_has_no_place_in_a_shell_is_refused(run: Path) -> None:
    done = build(run, builder(), of="x;reboot")
    assert done["failed"]
    assert done["msg"].startswith("a host says that its machine is")
