# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of the house: tests mirror the paths of what they test, packages say what they are, nothing is left."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "collection" / "plugins"
CODE = (PLUGINS / "plugin_utils", PLUGINS, ROOT / "src" / "fleetdiag")
# What is no Python module: the program that runs on hosts, and statements about the product as a whole.
OTHERWISE = ("host_program", "product")
TESTS = sorted(
    path.relative_to(ROOT / "tests" / "unit")
    for path in (ROOT / "tests" / "unit").rglob("test_*.py")
    if path.relative_to(ROOT / "tests" / "unit").parts[0] not in OTHERWISE
)
ROLES = ROOT / "collection" / "roles"
TASKS = sorted(path.relative_to(ROLES) for path in ROLES.glob("*/tasks/**/*.yml") if path.name != "main.yml")
_INCLUDED = re.compile(r"""(include_tasks|import_tasks|tasks_from|file): *["']?(.+\.yml)["']?""")
PACKAGES = sorted(
    path.relative_to(ROOT)
    for root in (PLUGINS / "plugin_utils", ROOT / "src" / "fleetdiag")
    for path in root.rglob("__init__.py")
)


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_a_test_stands_where_its_module_stands(test: Path) -> None:
    """`test_<module>.py` or `test_<module>_<aspect>.py`, in the folder of that module."""
    subject = test.stem.removeprefix("test_")
    modules = [path.stem for root in CODE for path in (root / test.parent).glob("*.py")]
    assert any(subject == module or subject.startswith(f"{module}_") for module in modules)


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_says_what_it_is(package: Path) -> None:
    assert ast.get_docstring(ast.parse((ROOT / package).read_text(encoding="utf-8")))


@pytest.mark.parametrize("tasks", TASKS, ids=str)
def test_tasks_are_included_by_something(tasks: Path) -> None:
    """By name, or by one in which a variable stands for a word: `balancers/{{ kind }}.yml`."""
    role = ROLES / tasks.parts[0]
    named = {
        name
        for path in ROLES.glob("*/tasks/**/*.yml")
        for kind, name in _INCLUDED.findall(path.read_text(encoding="utf-8"))
        if role in path.parents or kind == "tasks_from"
    }
    patterns = ["[A-Za-z]+".join(map(re.escape, re.split(r"\{\{.*?\}\}", name))) for name in named]
    assert any(
        re.fullmatch(pattern, tasks.relative_to(f"{tasks.parts[0]}/tasks").as_posix()) for pattern in patterns
    )
