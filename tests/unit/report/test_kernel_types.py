# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of probes that were built with what a kernel tells of itself, function by function."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import kernel_types
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    KernelBuild,
    ModuleBuild,
)

MEASURED, OTHER = "6.12.117+deb13-amd64", "6.9.4-200.fc40.x86_64"


@pytest.fixture(autouse=True)
def _lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "6.12-deb13-amd64.txt").write_text("# measured\nvfs_getattr\nvfs_open\n")
    monkeypatch.setattr(kernel_types, "FOLDER", tmp_path)
    kernel_types.measured.cache_clear()


def build(kernel: str, **module: object) -> KernelBuild:
    made = {"types": "btf", "maker": "2", **module}
    return KernelBuild(kernel, probes={"stats": ModuleBuild.from_json(made)})


def note(made: KernelBuild) -> str:
    (found,) = kernel_types.notes({made.kernel: made})
    return found


def test_a_function_with_inline_copies_is_named_where_that_was_measured() -> None:
    made = build(MEASURED, functions=["vfs_getattr", "vfs_read"], small=["vfs_read"])
    assert "of vfs_getattr the compiler put copies inline into other functions, as was measured" in note(made)
    assert "vfs_read" not in note(made)
    assert "a zero that may come of that is compared with nothing" in note(made)
    assert kernel_types.may_miss(made, "stats")


def test_nothing_is_missed_of_functions_that_were_measured_to_have_no_copies() -> None:
    made = build(MEASURED, functions=["vfs_read"], small=["vfs_read"])
    assert "(vfs_read) are inline in others nowhere, as was measured" in note(made)
    assert not kernel_types.may_miss(made, "stats")


def test_elsewhere_the_size_of_a_function_tells() -> None:
    made = build(OTHER, functions=["vfs_getattr", "vfs_read"], small=["vfs_read"])
    assert "of vfs_read the compiler may have put copies inline" in note(made)
    assert kernel_types.may_miss(made, "stats")
    large = build(OTHER, functions=["vfs_getattr"], small=[])
    assert "(vfs_getattr) are large, so that few copies of them are inline in others" in note(large)
    assert not kernel_types.may_miss(large, "stats")


def test_what_was_measured_says_nothing_of_a_module() -> None:
    """A module's function may have the name of one of the kernel's."""
    functions = {
        "functions": ["vfs_open", "x_small"],
        "of_modules": ["vfs_open", "x_small"],
        "small": ["x_small"],
    }
    assert kernel_types.missed(MEASURED, build(MEASURED, **functions).probes["stats"]) == (
        (),
        ("x_small",),
        True,
        False,
    )


@pytest.mark.parametrize(
    "module",
    [
        {"functions": [f"vfs_{n}" for n in range(kernel_types.LISTED_FUNCTIONS)]},
        {"functions": []},
        {"functions": ["vfs_read"], "maker": "1"},
        {"functions": ["vfs_read"], "maker": ""},
    ],
)
def test_what_is_not_known_may_be_missed(module: dict[str, object]) -> None:
    assert kernel_types.may_miss(build(MEASURED, **module), "stats")
    assert "compared with nothing" in note(build(MEASURED, **module))


def test_a_probe_that_was_built_with_headers_misses_nothing() -> None:
    made = build(MEASURED, types="", functions=["vfs_getattr"])
    assert not kernel_types.may_miss(made, "stats")
    assert not kernel_types.may_miss(made, "another")
    assert not list(kernel_types.notes({MEASURED: made}))
    module = build(MEASURED, functions=["vfs_write"]).probes[
        "stats"
    ]  # the test of the types is nobody's probe
    assert not list(kernel_types.notes({MEASURED: KernelBuild(MEASURED, probes={"smoke": module})}))


@pytest.mark.parametrize(
    "kernel", ["6.13.1+deb13-amd64", "6.12.117+deb13-arm64", "../6.12.1+deb13-amd64", ""]
)
def test_another_series_was_not_measured(kernel: str) -> None:
    assert kernel_types.measured(kernel) is None


def test_another_kernel_of_the_series_was() -> None:
    assert kernel_types.measured("6.12.73+deb13-amd64") == {"vfs_getattr", "vfs_open"}
