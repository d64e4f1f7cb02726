# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a sweep read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, target
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import KernelBuild
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    PreflightRecord,
    ProbeRecord,
    SweepRecord,
)

NONCE = "0123456789abcdef"


def test_what_was_built_before_is_found_by_its_builder_and_its_signature(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (probe,) = catalog.find(["nettop"], [catalog.shipped()])
    values = {name: one.default for name, one in probe.parameters.items()}
    sweep = SweepRecord(probes=(ProbeRecord("nettop", dict(probe.manifest), values),))
    facts = PreflightRecord(kernel="6.12.0", kernel_build_id="b")
    for source in sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b", signer="cert"):
        ModuleStore().put(source.key, source.name.encode(), {})
    record = sources.built_before(sweep, stap="5.6", facts=facts, signer="cert")
    assert record is not None
    assert {name: one.status for name, one in record.probes.items()} == {
        "smoke": "cached",
        "nettop": "cached",
    }
    assert record.probes["nettop"].types == ""
    origin = {"types": "btf", "functions": ["vfs_read"], "small": ["vfs_read"], "maker": MAKER}
    ModuleStore().put(
        sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b", signer="cert")[1].key, b"m", origin
    )
    assert sources.built_before(sweep, stap="5.6", facts=facts, signer="cert") is None  # that was not tested
    test = sources.self_test(stap="5.6", kernel="6.12.0", build_id="b", signer="cert")
    ModuleStore().put(test.key, b"the test", {**origin, "functions": ["vfs_write"]})
    again = sources.built_before(sweep, stap="5.6", facts=facts, signer="cert")
    assert again is not None
    told = again.probes["nettop"]  # what its figures leave out is to be said again
    assert (told.types, told.functions, told.small) == ("btf", ("vfs_read",), ("vfs_read",))
    assert again.probes["smoke"].functions == ("vfs_write",)
    assert sources.built_before(sweep, stap="5.6", facts=facts) is None
    assert sources.built_before(sweep, stap="5.5", facts=facts, signer="cert") is None


def test_a_script_that_asks_for_a_process_is_compiled_with_a_target_of_ours(tmp_path: Path) -> None:
    script = tmp_path / "t.stp"
    script.write_text("probe syscall.read { if (pid() == target()) n++ }\n")
    probe = plain.load(str(script), None)
    entry = ProbeRecord(probe.name, dict(probe.manifest), {"target": 0}, script=script.read_text())
    sweep = SweepRecord(probes=(entry,))
    smoke, source = sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b")
    assert source.control.endswith(target.FUNCTION)
    assert target.FUNCTION not in smoke.control


def test_only_what_was_built_has_a_checksum() -> None:
    built = {"probes": {"nettop": {"sha256": "a"}, "broken": {"sha256": ""}, "smoke": {"sha256": "s"}}}
    assert KernelBuild.from_json(built).checksums == {"nettop": "a", "smoke": "s"}


def test_a_sweep_that_probes_programs_takes_no_host_as_it_was_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Programs change without a boot: what a host had then says nothing of what it has now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = tmp_path / "calls.stp"
    script.write_text('global n\nprobe process("/b").function("f") { n++ }\nprobe end { println(n) }\n')
    probe = plain.load(str(script), None)
    entry = ProbeRecord(probe.name, dict(probe.manifest), {}, script=script.read_text())
    sweep = SweepRecord(probes=(entry,))
    assert sources.programs(sweep) == {probe.name: ["/b"]}
    file = ProgramFile("/b", "/usr/b", "ab" * 32, "cd" * 20, 12, "web1")
    wanted = sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b", chosen={"/b": file})
    for source in wanted:
        ModuleStore().put(source.key, source.name.encode(), {})
    assert sources.held(ModuleStore(), wanted)[probe.name].programs == {"/b": file}
    facts = PreflightRecord(kernel="6.12.0", kernel_build_id="b")
    assert sources.built_before(sweep, stap="5.6", facts=facts) is None
