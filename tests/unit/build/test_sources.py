# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a sweep read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, target

NONCE = "0123456789abcdef"


def test_what_was_built_before_is_found_by_its_builder_and_its_signature(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (probe,) = catalog.find(["nettop"], [catalog.shipped()])
    values = {name: one.default for name, one in probe.parameters.items()}
    sweep = {"probes": [{"name": "nettop", "manifest": dict(probe.manifest), "parameters": values}]}
    facts = {"kernel": "6.12.0", "kernel_build_id": "b"}
    for source in sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b", signer="cert"):
        ModuleStore().put(source.key, source.name.encode(), {})
    record = sources.built_before(sweep, stap="5.6", facts=facts, signer="cert")
    assert record is not None
    assert {name: entry["status"] for name, entry in record["probes"].items()} == {
        "smoke": "cached",
        "nettop": "cached",
    }
    assert sources.built_before(sweep, stap="5.6", facts=facts) is None
    assert sources.built_before(sweep, stap="5.5", facts=facts, signer="cert") is None


def test_a_script_that_asks_for_a_process_is_compiled_with_a_target_of_ours(tmp_path: Path) -> None:
    script = tmp_path / "t.stp"
    script.write_text("probe syscall.read { if (pid() == target()) n++ }\n")
    probe = plain.load(str(script), None)
    entry = {"name": probe.name, "manifest": dict(probe.manifest), "parameters": {"target": 0}}
    sweep = {"probes": [{**entry, "script": script.read_text()}]}
    smoke, source = sources.sources(sweep, stap="5.6", kernel="6.12.0", build_id="b")
    assert source.control.endswith(target.FUNCTION)
    assert target.FUNCTION not in smoke.control


def test_only_what_was_built_has_a_checksum() -> None:
    built = {"probes": {"nettop": {"sha256": "a"}, "broken": {"sha256": ""}, "smoke": {"sha256": "s"}}}
    assert sources.checksums(built) == {"nettop": "a", "smoke": "s"}
