# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of stap on a script's first line: handed on, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import cache_key
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import first_line, plain

LIVE = 'probe kernel.trace("sched_switch") { n++ }\n'


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("", []),
        ("probe begin {}", []),
        ("#!/bin/sh -e", []),
        ("#! /usr/bin/env stap", []),
        ("#!/usr/bin/stap -v", []),
        ("#!/usr/bin/stap -vw -m name", []),
        ("#!/usr/bin/stap -DMAXMAPENTRIES=10240", ["-DMAXMAPENTRIES=10240"]),
        ("#!/usr/bin/stap -D MAXSTRINGLEN=2048", ["-DMAXSTRINGLEN=2048"]),
        ("#!/usr/bin/env -S stap --suppress-handler-errors", ["--suppress-handler-errors"]),
        ("#!/usr/bin/stap -d /usr/sbin/nginx --ldd", ["-d", "/usr/sbin/nginx", "--ldd"]),
        ("#!/usr/bin/stap -dkernel", ["-d", "kernel"]),
    ],
)
def test_harmless_options_are_handed_on(line: str, flags: list[str]) -> None:
    found = first_line.options_of(line + "\n" + LIVE)
    assert (found.flags, found.faults) == (flags, [])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("-g", "asks for guru mode (-g)"),
        ("-vg", "asks for guru mode (-g)"),
        ("--guru", "asks for guru mode (-g)"),
        ("-olog.txt", "writes into a file on the host (-o)"),
        ("-o log.txt", "writes into a file on the host (-o)"),
        ("-x 12", "names a process (-x)"),
        ("-c ls", "starts a command (-c)"),
        ("-I /srv/tapset", "takes functions from another folder (-I)"),
        ("-G n=5", "sets a global of the script (-G)"),
        ("-s 64", "sets the size of the buffer (-s)"),
        ("--suppress-time-limits", "switches off the limits of time (--suppress-time-limits)"),
        ("--runtime=bpf", "is for another runtime (--runtime)"),
        ("-DSTP_NO_OVERLOAD", "changes what a script may cost (-DSTP_NO_OVERLOAD)"),
        ("-DSTP_OVERLOAD_THRESHOLD=1LL", "changes what a script may cost (-DSTP_OVERLOAD_THRESHOLD=1LL)"),
        ("-DMAXACTION=10000000", "sets a limit out of range (-DMAXACTION=10000000)"),
        ("-DMAXACTION", "sets a limit out of range (-DMAXACTION)"),
        ("-DFOO=1", "defines something that fleetdiag does not know (-DFOO=1)"),
        ("-B CONFIG=y", "asks for an option of stap that is not passed on (-B CONFIG=y)"),
        ("--remote=host", "asks for an option of stap that is not passed on (--remote=host)"),
        ("extra.stp", "asks for an option of stap that is not passed on (extra.stp)"),
    ],
)
def test_all_others_are_refused_in_a_sentence(options: str, what: str, tmp_path: Path) -> None:
    script = tmp_path / "x.stp"
    script.write_text(f"#!/usr/bin/stap {options}\n{LIVE}")
    ((said, _advice),) = first_line.options_of(script.read_text()).faults
    assert said == what
    with pytest.raises(FleetdiagError) as error:
        plain.load(str(script), None)
    assert f"may not run: line 1 {what}; " in str(error.value)


def test_the_limits_of_a_script_replace_those_of_fleetdiag(tmp_path: Path) -> None:
    script = tmp_path / "x.stp"
    script.write_text(
        f"#!/usr/bin/stap -DMAXMAPENTRIES=10240 --suppress-handler-errors -DMAXNESTING=20\n{LIVE}"
    )
    probe = plain.load(str(script), None)
    recorded = catalog.probe_from_manifest(probe.name, probe.manifest)
    for each in (probe, recorded):
        flags = cache_key.flags(each)
        assert "-DMAXMAPENTRIES=2048" not in flags
        assert flags[-3:] == ["-DMAXMAPENTRIES=10240", "--suppress-handler-errors", "-DMAXNESTING=20"]
        assert "-DMAXSTRINGLEN=512" in flags
        assert any(flag.startswith("-DSTP_OVERLOAD_THRESHOLD=") for flag in flags)
