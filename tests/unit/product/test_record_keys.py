# SPDX-License-Identifier: GPL-3.0-or-later
"""No string key of a run directory's file stands outside `rundir/`: whoever reads or writes one takes a record."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import rundir

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = ROOT / "collection" / "plugins"
UTILS = PLUGINS / "plugin_utils"
COMMAND = ROOT / "src" / "fleetdiag"
# What makes run directories and what reads them whole; elsewhere it is who opens one.
ALWAYS = (UTILS / "build", UTILS / "sweep", UTILS / "report", PLUGINS / "action", PLUGINS / "callback")

# What a task was given.
OF_ANSIBLE = ("args", "self.task_vars")
# What has some of the same words as keys and is no file of a run directory that has a record.
OTHER = {
    "collection/plugins/action/sweep_build.py": ("the answer of the module stap_compile", "name path"),
    "collection/plugins/action/sweep_use_known_hosts.py": ("what is remembered of a host", "signer stap"),
    "collection/plugins/action/sweep_inspect_builder.py": (
        "the answer of the module stap_info",
        "signer stap",
    ),
    "collection/plugins/plugin_utils/build/module_cache.py": (
        "what is kept of a module in the cache",
        "functions maker sha256 types",
    ),
    "collection/plugins/plugin_utils/memory/news.py": ("news.json", "name"),
    "collection/plugins/plugin_utils/memory/news_file.py": ("news.json", "accepted after hosts probes until"),
    "collection/plugins/plugin_utils/memory/past.py": ("news.json and figures.json", "name"),
    "collection/plugins/plugin_utils/memory/references.py": ("the parts of NAME~2", "name"),
    "collection/plugins/plugin_utils/memory/retention.py": ("news.json", "name"),
    "collection/plugins/plugin_utils/memory/slots.py": ("slots.jsonl", "status"),
    "collection/plugins/plugin_utils/render/page/data.py": ("what the page is given", "total"),
    "collection/plugins/plugin_utils/sweep/crashes.py": ("what is kept of a host's crashes", "crashed"),
    "collection/plugins/plugin_utils/sweep/host_cache.py": (
        "what is remembered of a host",
        "clock host hosts seconds",
    ),
    "collection/plugins/plugin_utils/sweep/hostctl_replies.py": (
        "the answer of guard.sh",
        "manifest reason smoke verdict",
    ),
    "collection/plugins/plugin_utils/sweep/preflight.py": (
        "the answer of guard.sh",
        "addresses cpus crashed free_mb load1 mem_available_mb modules_held signed staprun",
    ),
    "src/fleetdiag/cli/abort.py": ("events of ansible-playbook", "host"),
    "src/fleetdiag/cli/builder.py": ("events of ansible-playbook", "host kernel"),
    "src/fleetdiag/cli/collect.py": ("events of ansible-playbook", "host"),
    "src/fleetdiag/cli/diff.py": ("the difference of two runs", "after before host"),
    "src/fleetdiag/cli/notify.py": ("outbox.json", "said"),
    "src/fleetdiag/cli/runs.py": ("a line of the list of runs", "hosts id path reason slot status"),
    "src/fleetdiag/lab/soak.py": ("report.json", "host reason status"),
    "src/fleetdiag/notify/outbox.py": ("outbox.json", "created message"),
    "src/fleetdiag/notify/summary.py": ("report.json", "host status"),
    "src/fleetdiag/run/progress.py": ("events of ansible-playbook", "host name reason task verdict"),
    "src/fleetdiag/run/shards.py": ("what a worker of ansible-runner says", "status"),
}


def keys() -> set[str]:
    """Return the keys of all records: the names of their fields."""
    modules = [
        importlib.import_module(f"{rundir.__name__}.{found.name}")
        for found in pkgutil.iter_modules(rundir.__path__)
    ]
    records = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and hasattr(kind, "from_json")
    }
    return {field.name for kind in records for field in dataclasses.fields(kind)}


def accesses(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """Yield each `x["key"]`, `x.get("key")`, `text(x, "key")` and `"key" in x` of one of these keys."""
    for node in ast.walk(tree):
        owner, key = _access(node)
        if owner is None or not isinstance(key, ast.Constant) or ast.unparse(owner) in OF_ANSIBLE:
            continue
        if key.value in known:
            yield str(key.value)


def _access(node: ast.AST) -> tuple[ast.AST | None, ast.AST | None]:
    match node:
        case ast.Subscript(value=owner, slice=key):
            return owner, key
        case ast.Call(func=ast.Attribute(value=owner, attr="get" | "pop" | "setdefault"), args=[key, *_]):
            return owner, key
        case ast.Call(
            func=(
                ast.Name(id="text" | "number" | "mapping" | "listing")
                | ast.Attribute(attr="text" | "number" | "mapping" | "listing")
            ),
            args=[owner, key, *_],
        ):
            return owner, key
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()], comparators=[owner]):
            return owner, key
    return None, None


def scanned() -> Iterator[Path]:
    """Yield the modules that may have a file of a run directory in hand."""
    for path in sorted([*PLUGINS.rglob("*.py"), *COMMAND.rglob("*.py")]):
        opens = "plugin_utils.rundir" in path.read_text(encoding="utf-8")
        if UTILS / "rundir" not in path.parents and (opens or any(place in path.parents for place in ALWAYS)):
            yield path


def test_keys_of_a_run_directory_stand_in_rundir_alone() -> None:
    known, found = keys(), {}
    for path in scanned():
        name = str(path.relative_to(ROOT))
        others = OTHER.get(name, ("", ""))[1].split()
        count = len(list(accesses(ast.parse(path.read_text(encoding="utf-8")), known - {*others})))
        if count:
            found[name] = count
    assert not found, "take a record of rundir/"


@pytest.mark.parametrize("name", OTHER)
def test_what_is_said_to_be_something_else_is_there(name: str) -> None:
    others = set(OTHER[name][1].split())
    assert set(accesses(ast.parse((ROOT / name).read_text(encoding="utf-8")), others)) == others


@pytest.mark.parametrize(
    "code",
    [
        'x["verdict"]',
        'x["verdict"] = 1',
        'x.get("verdict")',
        'x.pop("verdict", 1)',
        'text(x, "verdict")',
        'untrusted.mapping(x, "verdict")',
        '"verdict" in x',
    ],
)
def test_an_access_is_seen(code: str) -> None:
    assert "verdict" in keys()
    assert Counter(accesses(ast.parse(code), keys())) == {"verdict": 1}


def test_what_a_task_was_given_is_no_file_of_a_run_directory() -> None:
    assert not list(accesses(ast.parse('args["verdict"] or self.task_vars.get("verdict")'), keys()))
