# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility

DEBIAN12 = "6.1.0-50-amd64"
DEBIAN13 = "6.12.107+deb13-amd64"
TESTING = "7.2.12-amd64"


@pytest.mark.parametrize(
    ("stap", "staprun", "kernel", "bug"),
    [
        # Seen on real kernels.
        ("5.6", "5.6", DEBIAN13, ""),
        ("5.6", "5.1", DEBIAN13, ""),
        ("5.6", "5.6", TESTING, ""),
        ("5.6", "4.8", DEBIAN12, "PR29108"),
        ("5.1", "5.1", DEBIAN13, "PR32194"),
        ("4.8", "4.8", DEBIAN12, "SystemTap commit a64dc4e2e"),
        # Follow from those.
        ("5.0", "4.9", DEBIAN12, "PR29108"),
        ("4.8", "5.6", DEBIAN12, "PR29108"),
        (None, "4.8", DEBIAN12, "PR29108"),
        (None, "5.1", DEBIAN13, ""),
        ("4.8", "4.8", "6.1.0-10-amd64", ""),
        ("5.2", "5.2", DEBIAN13, ""),
        ("5.10", "5.2", DEBIAN13, ""),
    ],
)
def test_verdicts(stap: str | None, staprun: str, kernel: str, bug: str) -> None:
    verdict = compatibility.verdict(stap, staprun, kernel)
    assert (verdict.ok, verdict.bug) == (bug == "", bug)
    assert bool(verdict.reason) == bool(verdict.remedy) == (not verdict.ok)


@pytest.mark.parametrize(
    ("stap", "kernel", "usable"),
    [
        ("5.6", DEBIAN12, True),
        ("5.6", DEBIAN13, True),
        ("5.6", TESTING, True),
        ("4.8", DEBIAN12, False),
        ("5.1", DEBIAN12, True),
        ("5.1", DEBIAN13, False),
        ("5.0", "6.6.85", False),
        ("5.0", "6.6.30", True),
        ("5.0", "6.11.0", False),
        ("4.8", "6.1.102", True),
        ("4.8", "6.1.103", False),
        ("4.8", "6.1.0-24-amd64", True),
        ("4.8", "6.1.0-25-cloud-arm64", False),
        ("4.8", "5.14.0-503.el9.x86_64", True),
        ("5.1", "7.0.1", False),
        ("", DEBIAN13, False),
        ("no version", DEBIAN13, False),
        ("5.2", "odd", True),
    ],
)
def test_builders(stap: str, kernel: str, usable: bool) -> None:
    assert compatibility.builder_usable(stap, kernel).ok == usable


def test_a_refusal_says_what_and_what_to_do() -> None:
    refused = compatibility.verdict("5.6", "4.8", DEBIAN12)
    assert refused.reason == (
        "its staprun 4.8 cannot run modules built by SystemTap 5.6: the control protocol changed in 5.0"
    )
    assert refused.remedy == "install a SystemTap runtime 5.2 or newer on the host"
    refused = compatibility.builder_usable("5.1", DEBIAN13)
    assert "do not start on kernel 6.12.107+deb13-amd64" in refused.reason
    assert "PR32194" in refused.reason
    assert "5.2 or newer, from a newer suite" in refused.remedy


@pytest.mark.parametrize("staprun", ["", "unknown"])
def test_a_host_without_staprun(staprun: str) -> None:
    verdict = compatibility.verdict("5.6", staprun, DEBIAN13)
    assert not verdict.ok
    assert "no staprun" in verdict.reason


@given(st.none() | st.text(), st.text(), st.text())
def test_any_text_has_a_verdict(stap: str | None, staprun: str, kernel: str) -> None:
    compatibility.verdict(stap, staprun, kernel)
    compatibility.builder_usable(stap or "", kernel)


def test_nothing_is_compiled_for_a_kernel_whose_hosts_could_not_run_it() -> None:
    refused = compatibility.runnable("5.6", ["4.8"], "6.1.0-50-amd64")
    assert not refused.ok
    assert "staprun 4.8" in refused.reason
    assert compatibility.runnable("5.6", ["4.8", "5.1"], "6.12.107+deb13-amd64").ok
    assert compatibility.runnable("5.6", [], "6.12.107+deb13-amd64").ok


@pytest.mark.parametrize(
    ("builder", "target", "usable"),
    [
        ("x86_64", "x86_64", True),
        ("x86_64", "aarch64", True),
        ("aarch64", "aarch64", True),
        ("aarch64", "x86_64", False),
        ("x86_64", "s390x", False),
        ("", "aarch64", True),
        ("x86_64", "", True),
    ],
)
def test_machines_that_a_builder_compiles_for(builder: str, target: str, usable: bool) -> None:
    verdict = compatibility.machine_usable(builder, target)
    assert verdict.ok is usable
    if not usable:
        assert verdict.reason == f"a builder that is {builder} does not compile for hosts that are {target}"
        assert verdict.remedy == f"put a host that is {target} into the group systemtap_builders"
