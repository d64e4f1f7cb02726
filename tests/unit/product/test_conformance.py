# SPDX-License-Identifier: GPL-3.0-or-later
"""What every role and every probe keeps to; a new one is tested by being there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from fleetdiag.probes import folder_check

COLLECTION = Path(__file__).parents[3] / "collection"
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
# How a role's option may look in its defaults.
TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "path": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "list": list,
    "dict": dict,
    "raw": object,
}


def folders(where: Path) -> list[Path]:
    return sorted(path for path in where.iterdir() if path.is_dir() and any(path.iterdir()))


INTEGRATION = Path(__file__).parents[2] / "integration"
SWEEPS = ("sweep", "catalog_probes_a", "catalog_probes_b")
ROLES = folders(COLLECTION / "roles")
PROBES = folders(catalog.shipped())

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
each_probe = pytest.mark.parametrize("folder", PROBES, ids=lambda path: path.name)


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_yaml(role / "meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    return found


@each_role
def test_the_options_of_a_role_are_its_defaults(role: Path) -> None:
    defaults = read_yaml(role / "defaults/main.yml")
    stated = {name: option["default"] for name, option in options(role).items() if not option.get("required")}
    assert stated == defaults


@each_role
def test_every_option_of_a_role_is_typed_described_and_named_after_it(role: Path) -> None:
    for name, option in options(role).items():
        assert name.startswith(f"{role.name}_"), name
        assert option["description"], name
        assert isinstance(option.get("default"), TYPES[option["type"]]) or option.get("required"), name
        assert option["type"] != "list" or "elements" in option, name


@each_role
def test_a_role_says_what_it_is(role: Path) -> None:
    readme = (role / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# "), "the README of a role starts with its name"
    assert role.name in readme.splitlines()[0]
    assert read_yaml(role / "meta/main.yml")["galaxy_info"]["description"]


@each_role
def test_the_scripts_of_a_role_carry_their_licence(role: Path) -> None:
    scripts = [path for path in role.rglob("*") if path.suffix in {".sh", ".part", ".py", ".stp"}]
    without = [
        path for path in scripts if LICENCE not in "".join(path.open(encoding="utf-8").readlines()[:2])
    ]
    assert without == []


def test_playbooks_only_say_which_hosts_get_which_role() -> None:
    for path in (COLLECTION / "playbooks").glob("*.yml"):
        for play in read_yaml(path):
            steps = play.get("tasks", [])
            assert all("ansible.builtin.import_role" in step for step in steps), path.name
            assert steps or play.get("roles") or play["gather_facts"], (
                path.name
            )  # or does nothing but learn facts


def test_a_play_keeps_its_promises_whatever_ansible_cfg_says() -> None:
    """One host's failure ends no other's part, no task has a time limit that we did not give it, none waits for keys."""
    for path in (COLLECTION / "playbooks").glob("*.yml"):
        for play in read_yaml(path):
            said = {name: play.get(name) for name in ("strategy", "any_errors_fatal", "timeout")}
            assert said == {"strategy": "linear", "any_errors_fatal": False, "timeout": 0}, path.name


def test_there_are_roles_and_probes() -> None:
    assert {"builder", "install", "sweep"} <= {role.name for role in ROLES}
    assert PROBES


@each_probe
def test_a_probe_has_no_fault(folder: Path) -> None:
    """Manifest, script and recorded sample, as `fleetdiag probes check` sees them."""
    assert folder_check.faults(folder) == []
    assert folder_check.nonce_of((folder / folder_check.SAMPLE).read_bytes()) == folder_check.NONCE


def test_each_probe_is_run_on_real_kernels_by_exactly_one_test() -> None:
    """`PROBES` of the tests that sweep the lab's machines of both kernel lines."""
    tests = [ast.parse((INTEGRATION / f"test_{name}.py").read_text(encoding="utf-8")) for name in SWEEPS]
    swept = [
        name
        for tree in tests
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROBES"
        for name in ast.literal_eval(node.value)
    ]
    assert sorted(swept) == [folder.name for folder in PROBES]
