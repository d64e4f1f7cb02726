# SPDX-License-Identifier: GPL-3.0-or-later
"""A builder's turn: what is recorded, what is left, and who takes over."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.failover import REMEDY, Turn, recorded
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)

BUILDERS = ["b1", "b2"]
SCRIPT = "semantic error: probe point mismatch"


def entry(status: str = "built", error: str = "") -> ModuleBuild:
    return ModuleBuild(status, "" if error else "a" * 64, error=error)


def turn(builder: str = "b1", **fields: Any) -> Turn:
    return Turn(builder, "5.6", wanted=["smoke", "nettop"], **fields)


def record(
    one: Turn, before: dict[str, Any] | None = None, *, builders: list[str] = BUILDERS, whole: bool = True
) -> tuple[dict[str, Any], str]:
    """Return the kernel's file after a turn, and who is to take over."""
    known = KernelBuild.from_json(before) if before else None
    found, following = recorded(known, one, builders, kernel="6.12", whole=whole)
    return found.to_json(), following


def test_what_was_made_is_recorded_with_its_builder() -> None:
    found, following = record(turn(entries={"smoke": entry(), "nettop": entry("cached")}))
    assert following == ""
    assert (found["kernel"], found["builder"], found["error"]) == ("6.12", "b1", "")
    assert {name: (e["status"], e["builder"], e["stap"]) for name, e in found["probes"].items()} == {
        "smoke": ("built", "b1", "5.6"),
        "nettop": ("cached", "b1", "5.6"),
    }


def test_a_builder_that_made_nothing_is_followed_by_the_next_one_and_that_is_kept() -> None:
    found, following = record(turn(trouble="the connection was lost while it compiled"))
    assert following == "b2"
    assert found["probes"] == {}
    assert found["error"] == ""
    found, following = record(turn("b2", entries={"smoke": entry(), "nettop": entry()}), found)
    assert following == ""
    assert found["builder"] == "b2"
    assert found["tried"] == [{"builder": "b1", "reason": "the connection was lost while it compiled"}]
    assert found["error"] == ""


def test_when_nobody_is_left_the_reason_of_each_is_said() -> None:
    found, _ = record(turn(trouble="the builder b1 cannot be reached"))
    found, following = record(turn("b2", trouble="it has no SystemTap", remedy="install it"), found)
    assert following == ""
    assert found["error"] == "b1: the builder b1 cannot be reached; b2: it has no SystemTap"
    assert found["remedy"] == "install it"


def test_what_is_wrong_here_no_other_builder_is_asked_to_change() -> None:
    found, following = record(
        turn(trouble="/cache: cannot write it; free some space", ours=True, remedy="here")
    )
    assert following == ""
    assert (found["error"], found["remedy"]) == ("/cache: cannot write it; free some space", "here")


def test_a_trivial_module_alone_is_nothing() -> None:
    found, _ = record(turn(entries={"smoke": entry("cached"), "nettop": entry("failed", "out of order")}))
    last = Turn("b2", "", wanted=["nettop"], trouble="the builder b2 cannot be reached")
    found, _ = record(last, found)
    assert found["error"] == "b1: out of order; b2: the builder b2 cannot be reached"
    assert found["probes"] == {}


def test_one_builder_alone_is_not_named_twice() -> None:
    found, _ = record(turn(trouble="the builder b1 cannot be reached"), builders=["b1"])
    assert (found["error"], found["remedy"]) == ("the builder b1 cannot be reached", REMEDY)


def test_a_fault_in_a_script_is_not_tried_again_where_others_compile() -> None:
    found, following = record(turn(entries={"smoke": entry(), "nettop": entry("failed", SCRIPT)}))
    assert following == ""
    assert found["probes"]["nettop"]["error"] == SCRIPT


def test_a_fault_of_the_builder_is() -> None:
    made = turn(entries={"smoke": entry(), "nettop": entry("failed", "compiling took longer than 1200 s")})
    found, following = record(made)
    assert following == "b2"
    assert set(found["probes"]) == {"smoke"}
    again = Turn("b2", "5.6", wanted=["nettop"], entries={"nettop": entry()})
    found, _ = record(again, found)
    assert {name: e["builder"] for name, e in found["probes"].items()} == {"smoke": "b1", "nettop": "b2"}


def test_a_builder_on_which_nothing_compiles_is_suspected_whatever_it_says() -> None:
    failed = {name: entry("failed", SCRIPT) for name in ("smoke", "nettop")}
    assert record(turn(entries=failed))[1] == "b2"


def test_a_builder_that_lacks_something_is_suspected_too() -> None:
    made = turn(entries={"smoke": entry(), "nettop": entry("failed", SCRIPT)}, lacks=True)
    assert record(made)[1] == "b2"


def test_of_a_shared_kernel_only_the_share_fails() -> None:
    before, _ = record(Turn("b2", "5.6", wanted=["smoke"], entries={"smoke": entry()}), whole=False)
    lost = Turn("b1", "", wanted=["nettop"], trouble="it cannot be reached")
    found, _ = record(lost, before, builders=["b1"], whole=False)
    assert found["error"] == ""
    assert found["probes"]["smoke"]["status"] == "built"
    assert found["probes"]["nettop"]["error"] == "b1: it cannot be reached"
    assert found["probes"]["nettop"]["status"] == "failed"


def test_what_no_builder_could_compile_says_so_below_the_last_message() -> None:
    found, _ = record(
        turn(entries={"smoke": entry(), "nettop": entry("failed", "stap ended with exit code 1")})
    )
    last = Turn("b2", "5.6", wanted=["nettop"], entries={"nettop": entry("failed", "it took too long")})
    found, _ = record(last, found)
    said = found["probes"]["nettop"]["error"].splitlines()
    assert said == [
        "it took too long",
        "(no builder could: b1: stap ended with exit code 1; b2: it took too long)",
    ]
