# SPDX-License-Identifier: GPL-3.0-or-later
"""Every condition under which a host is refused, with its reason, before anything is loaded."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import PreflightRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight

GOOD = {
    "uid": "0",
    "kernel": "6.12.107+deb13-amd64",
    "staprun": "5.1",
    "systemd": "257",
    "init": "systemd",
    "container": "",
    "modules_disabled": "0",
    "sig_enforce": "N",
    "lockdown": "none",
    "fips": "0",
    "free_mb": "5000",
    "mem_available_mb": "700",
    "cpus": "1",
    "load1": "0.25",
    "addresses": "10.0.2.15 10.77.0.11 fd00::11",
}


def test_a_good_host_is_probed() -> None:
    assert preflight.refusal(GOOD, min_free_mb=200) is None
    record = preflight.record("web1", GOOD, None)
    assert record.verdict == "ok"
    assert record.free_mb == 5000
    assert record.load1 == 0.25
    assert record.addresses == ("10.0.2.15", "10.77.0.11", "fd00::11")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"uid": "1000"}, "not run as root"),
        ({"container": "lxc"}, r"container \(lxc\)"),
        ({"init": "runit"}, "process 1 is runit"),
        ({"systemd": ""}, "systemd does not run"),
        ({"modules_disabled": "1"}, "takes no more modules"),
        ({"sig_enforce": "Y"}, "signed modules only"),
        ({"lockdown": "integrity"}, "lockdown=integrity"),
        ({"lockdown": "confidentiality"}, "allows no probes"),
        ({"fips": "1"}, "FIPS"),
        ({"free_mb": "12"}, "only 12 MB are free"),
        ({"free_mb": "garbage"}, "only 0 MB are free"),
        ({"mem_available_mb": "20"}, "only 20 MB of memory"),
        ({"staprun": ""}, "staprun is not installed"),
    ],
)
def test_a_host_that_cannot_be_probed_says_why_and_what_to_do(facts: dict[str, str], reason: str) -> None:
    refused = preflight.refusal({**GOOD, **facts}, min_free_mb=200)
    assert refused is not None
    assert re.search(reason, refused.reason)
    assert refused.remedy
    assert preflight.record("web1", {**GOOD, **facts}, refused).verdict == "refused"


@pytest.mark.parametrize("fact", [{"sig_enforce": "Y"}, {"lockdown": "integrity"}])
def test_a_kernel_that_wants_signatures_is_probed_where_modules_are_signed(fact: dict[str, str]) -> None:
    facts = {**GOOD, **fact}
    found = preflight.refusal(facts, min_free_mb=200)
    assert found is not None
    assert "builder_sign_key" in found.remedy
    assert preflight.refusal(facts, min_free_mb=200, signed=True) is None
    assert (
        preflight.refusal({**facts, "lockdown": "confidentiality"}, min_free_mb=200, signed=True) is not None
    )


def test_of_two_names_of_one_machine_the_second_is_refused() -> None:
    def host(name: str, boot_id: str) -> PreflightRecord:
        return PreflightRecord(host=name, verdict="ok", boot_id=boot_id)

    hosts = [
        host("web1", "b1"),
        host("web2", "b2"),
        host("web1-mgmt", "b1"),
        host("web3", ""),
        host("web4", ""),
    ]
    (again,) = preflight.same_machines(hosts)
    assert (again.host, again.verdict) == ("web1-mgmt", "refused")
    assert again.reason == "is the same machine as web1, which is probed"


def test_of_one_kernels_hosts_those_of_another_machine_are_refused() -> None:
    def host(
        name: str, machine: str, kernel: str = "6.8.0-41-generic", verdict: str = "ok"
    ) -> PreflightRecord:
        return PreflightRecord(host=name, verdict=verdict, kernel=kernel, said={"arch": machine})

    hosts = [
        host("arm1", "aarch64"),
        host("web1", "x86_64"),
        host("web2", "x86_64"),
        host("web3", "aarch64", verdict="refused"),
        host("arm2", "aarch64", kernel="6.12.117+deb13-arm64"),
    ]
    (other,) = preflight.other_machines(hosts)
    assert (other.host, other.verdict) == ("arm1", "refused")
    assert other.reason == (
        "is aarch64, while most hosts with kernel 6.8.0-41-generic are x86_64: a module is for one of them"
    )
    assert other.remedy == "sweep the hosts of each machine by themselves"
