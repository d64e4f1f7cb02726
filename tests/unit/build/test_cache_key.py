# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import cache_key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe

PINNED = "af9c73a2557cefacd1fb212db8994b2eaea9d3efadd3d7b01dcd9ed9bd133236"
INPUTS: dict[str, Any] = {
    "script": "probe begin {}",
    "tapset": "function a() {}",
    "control": "global b",
    "compile_args": ["ext4", ""],
    "flags": ["-DMAXERRORS=0"],
    "stap": "5.6",
    "kernel": "6.12.107+deb13-amd64",
    "build_id": "c0ffee",
}


def test_the_same_inputs_have_the_same_key() -> None:
    key = cache_key.key(**INPUTS)
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    assert key == cache_key.key(**INPUTS)
    # Pinned: another key means that every cache in the field goes cold.
    assert key == PINNED


@pytest.mark.parametrize("name", list(INPUTS))
def test_each_input_changes_the_key(name: str) -> None:
    value = INPUTS[name]
    changed = [*value, "x"] if isinstance(value, list) else value + "x"
    assert cache_key.key(**{**INPUTS, name: changed}) != cache_key.key(**INPUTS)


def test_a_signed_module_is_another_one() -> None:
    keys = {cache_key.key(**INPUTS, signer=signer) for signer in ("", "ab", "cd")}
    assert len(keys) == 3
    assert PINNED in keys


def test_inputs_do_not_run_together() -> None:
    other = {**INPUTS, "script": INPUTS["script"] + INPUTS["tapset"], "tapset": ""}
    assert cache_key.key(**other) != cache_key.key(**INPUTS)
    assert cache_key.key(**{**INPUTS, "compile_args": ["ext", "4"]}) != cache_key.key(
        **{**INPUTS, "compile_args": ["ext4"]}
    )


def test_flags_hold_the_manifests_limits_and_switch_nothing_off() -> None:
    manifest: dict[str, Any] = {"description": "A.", "question": "A?", "output": "text", "cost": "low"}
    assert cache_key.flags(probe_from_manifest("p", manifest)) == [
        "-DSTP_OVERLOAD_THRESHOLD=100000000LL",
        "-DSTP_OVERLOAD_INTERVAL=1000000000LL",
        "-DSTP_MAXMEMORY=262144",
        "-DMAXERRORS=0",
        "-DMAXSKIPPED=100",
        "-DMAXACTION=5000",
        "-DMAXMAPENTRIES=2048",
        "-DMAXSTRINGLEN=128",
    ]
    manifest["limits"] = {"overload_percent": 50, "map_entries": 100, "string_length": 512}
    flags = cache_key.flags(probe_from_manifest("p", manifest))
    assert flags[0] == "-DSTP_OVERLOAD_THRESHOLD=500000000LL"
    assert flags[-2:] == ["-DMAXMAPENTRIES=100", "-DMAXSTRINGLEN=512"]
    assert all(re.fullmatch(r"-D[A-Z_]+=\d+(LL)?", flag) for flag in flags)
    assert not any("NO_OVERLOAD" in flag or "SUPPRESS" in flag for flag in flags)


def test_a_site_may_allow_more_than_the_manifests_do() -> None:
    probe = Probe(name="x", description="d", question="q?", output="text", cost="low")
    assert "-DSTP_OVERLOAD_THRESHOLD=100000000LL" in cache_key.flags(probe)
    assert "-DSTP_OVERLOAD_THRESHOLD=900000000LL" in cache_key.flags(probe, 90)
