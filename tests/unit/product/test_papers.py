# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published says what is true: options, groups of actions, requirements, licences, and what is packed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
COLLECTION = ROOT / "collection"
NAME = "ansible_collections.fleetdiag.systemtap.plugins"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (COLLECTION / "plugins/action").glob("*.py"))
SPEC = ("type", "required", "default", "choices", "elements")


def documented(name: str) -> dict[str, dict[str, Any]]:
    """Return the options of a module as its DOCUMENTATION and the fragments that it extends say them."""
    module = importlib.import_module(f"{NAME}.modules.{name}")
    stated = yaml.safe_load(module.DOCUMENTATION)
    options = dict(stated.get("options") or {})
    for word in stated.get("extends_documentation_fragment") or []:
        fragment, _, part = word.removeprefix("fleetdiag.systemtap.").partition(".")
        found = importlib.import_module(f"{NAME}.doc_fragments.{fragment}").ModuleDocFragment
        options |= yaml.safe_load(getattr(found, (part or "documentation").upper())).get("options") or {}
    return options


def told(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what a caller has to know of each option; what is left out is what Ansible takes for it."""
    usual = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}
    return {name: {key: one.get(key, usual[key]) for key in SPEC} for name, one in options.items()}


@pytest.mark.parametrize("name", ACTIONS)
def test_the_options_of_an_action_are_documented_as_they_are(name: str) -> None:
    action = importlib.import_module(f"{NAME}.action.{name}").ActionModule
    assert told(action.ARGS) == told(documented(name))


def returned(name: str) -> set[str]:
    """Return the keys of what `work()` and `would()` of an action return, where it writes them down."""
    tree = ast.parse((COLLECTION / "plugins/action" / f"{name}.py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    keys: set[str] = set()
    for function in (node for node in functions if node.name in ("work", "would")):
        inner = {id(one) for node in functions if node is not function for one in ast.walk(node)}
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict) and id(node) not in inner:
                keys |= written_keys(node.value)
    return keys


def written_keys(value: ast.Dict) -> set[str]:
    """Return the keys of a dict as it is written, also of dicts that are spread in it; `shown()` is Ansible's `msg`."""
    keys: set[str] = set()
    for key, part in zip(value.keys, value.values, strict=True):
        told = [
            one for one in ast.walk(part) if isinstance(one, ast.Call) and ast.unparse(one.func) == "shown"
        ]
        words = {id(one) for call in told for one in ast.walk(call)}
        spread = [key] if key is not None else [one for one in ast.walk(part) if id(one) not in words]
        keys |= {one.value for one in spread if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return keys


@pytest.mark.parametrize("name", ACTIONS)
def test_what_an_action_returns_is_documented(name: str) -> None:
    stated = yaml.safe_load(importlib.import_module(f"{NAME}.modules.{name}").RETURN)
    assert all(one["description"] and one["type"] and one["returned"] for one in stated.values())
    if name == "sweep_choose_window":  # the window itself, which its own tests look at
        assert {"start", "end", "began"} == set(stated)
    else:
        assert set(stated) - {"msg", "skipped"} == returned(name) - {
            "changed",
            "msg",
            "skipped",
        }  # Ansible's own


ANSIBLES_OWN = {"changed", "diff", "msg"}
WEIGHTS = COLLECTION / "plugins/module_utils/_balancers/command.py"


def handed_to_exit_json(tree: ast.AST) -> set[str]:
    """Return the keys that a module hands to exit_json by name."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    ends = [call for call in calls if ast.unparse(call.func) == "module.exit_json"]
    return {word.arg for call in ends for word in call.keywords if word.arg}


def put_into_result(tree: ast.AST) -> set[str]:
    """Return the keys that code puts into what it calls `result`."""
    keys: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "result":
            keys |= written_keys(node.value) if isinstance(node.value, ast.Dict) else set()
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "result.update":
            keys |= {word.arg for word in node.keywords if word.arg}
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "result":
            keys |= {str(node.slice.value)} if isinstance(node.slice, ast.Constant) else set()
    return keys


@pytest.mark.parametrize("name", sorted(set(MODULES) - set(ACTIONS)))
def test_what_a_module_returns_is_documented(name: str) -> None:
    stated = yaml.safe_load(importlib.import_module(f"{NAME}.modules.{name}").RETURN)
    assert all(one["description"] and one["type"] and one["returned"] for one in stated.values())
    if name.endswith("_weight"):
        found = put_into_result(ast.parse(WEIGHTS.read_text(encoding="utf-8")))
    else:
        module = COLLECTION / "plugins/modules" / f"{name}.py"
        found = handed_to_exit_json(ast.parse(module.read_text(encoding="utf-8")))
    assert set(stated) == found - ANSIBLES_OWN


def test_every_module_is_in_the_group_for_module_defaults() -> None:
    runtime = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["systemtap"]) == MODULES
    assert set(ACTIONS) <= set(MODULES)


def test_plugins_that_ansible_documents_name_the_licence_as_it_wants_it() -> None:
    documented = [
        *(COLLECTION / "plugins/modules").glob("*.py"),
        *(COLLECTION / "plugins/callback").glob("*.py"),
    ]
    without = [
        path.name for path in documented if "GNU General Public License v3.0+" not in path.read_text()[:400]
    ]
    assert without == []


def test_an_execution_environment_gets_what_the_collection_declares() -> None:
    declared = yaml.safe_load((COLLECTION / "meta/execution-environment.yml").read_text())["dependencies"]
    python = (COLLECTION / declared["python"]).read_text().split()
    assert (COLLECTION / declared["system"]).is_file()
    command = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(python) <= set(command)
    assert any(word.startswith("jsonschema") for word in python)


def test_the_environments_for_containers_take_what_the_command_takes() -> None:
    command = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    environment = yaml.safe_load((ROOT / "containers/execution-environment.yml").read_text())["dependencies"]
    assert {environment[name]["package_pip"] for name in ("ansible_core", "ansible_runner")} <= set(command)
    (named,) = environment["galaxy"]["collections"]
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    assert named == {"name": f"{galaxy['namespace']}.{galaxy['name']}", "version": f">={galaxy['version']}"}


def test_licence_and_papers_are_there() -> None:
    assert (COLLECTION / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert all((ROOT / name).is_file() for name in ("CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md"))


def test_contributing_names_files_that_are_there() -> None:
    """`<kind>` stands for any word; paths begin at the root or at collection/plugins."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {word for word in re.findall(r"`([^`\s]+/[^`\s]*)`", text) if word != "plugins/"}
    assert len(named) > 15
    absent = [
        word
        for word in sorted(named)
        if not any(any(place.glob(re.sub("<[^>]+>", "*", word))) for place in (ROOT, COLLECTION / "plugins"))
    ]
    assert absent == []


def test_contributing_names_targets_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.MULTILINE))
    assert len(named) > 5
    assert named <= targets


def test_the_source_distribution_makes_the_same_wheel(tmp_path: Path) -> None:
    """What is built from it holds the command and the collection, each once."""
    hatch = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run([*hatch, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    (tmp_path / "from").mkdir()
    subprocess.run(["tar", "-xzf", packed, "-C", tmp_path / "from"], check=True)
    (source,) = (tmp_path / "from").iterdir()
    subprocess.run([*hatch, "-t", "wheel"], cwd=source, check=True, capture_output=True)
    assert len(list(tmp_path.glob("*.whl"))) == 1


def test_the_tarball_of_the_collection_holds_only_what_is_shipped(tmp_path: Path) -> None:
    words = ["ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), str(COLLECTION)]
    subprocess.run(words, check=True, capture_output=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    assert packed.stat().st_size < 2 << 20
    with tarfile.open(packed) as archive:
        names = archive.getnames()
    strange = ("__pycache__", ".pytest_cache", ".git", ".ansible", ".ko", "tests/output", ".plugin-cache")
    assert [name for name in names if any(word in name for word in strange)] == []
    assert {name.partition("/")[0] for name in names} <= {
        *("FILES.json", "MANIFEST.json", "LICENSE", "README.md", "CHANGELOG.md"),
        *("changelogs", "docs", "meta", "playbooks", "plugins", "roles"),
    }
