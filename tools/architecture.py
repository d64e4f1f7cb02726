#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the packages and what they import into architecture.md, from the code's own imports (--check: only compare)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import marked

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "collection/docs/architecture.md"
COLLECTION = "ansible_collections.fleetdiag.systemtap.plugins"
PLACES = {COLLECTION: ROOT / "collection/plugins", "fleetdiag": ROOT / "src/fleetdiag"}
GROUPS = {
    "the command": "fleetdiag.",
    "what Ansible calls": f"{COLLECTION}.",
    "the core": f"{COLLECTION}.plugin_utils.",
    "on hosts": f"{COLLECTION}.module_utils",
}
Graph = dict[str, set[str]]


def imports() -> Graph:
    """Return {package: packages that it imports}."""
    found: Graph = {}
    for root, folder in PLACES.items():
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(folder).with_suffix("")
            package = package_of(".".join([root, *inside.parts]))
            # What is started as a program stands above all packages.
            if package is not None and inside.name not in ("__init__", "__main__"):
                named = {package_of(name) for name in _imported(path)}
                found.setdefault(package, set()).update(name for name in named if name not in (None, package))  # type: ignore[misc]
    return found


def package_of(module: str) -> str | None:
    """Return the package that a module belongs to in the drawing, None for what is not ours."""
    for root in PLACES:
        if module.startswith(f"{root}."):
            parts = module.removeprefix(f"{root}.").split(".")
            depth = 2 if parts[0] == "plugin_utils" else 1
            return ".".join([root, *parts[:depth]]) if len(parts) >= depth else None
    return None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def reduced(graph: Mapping[str, set[str]]) -> Graph:
    """Return the graph without arrows that others already imply."""
    return {
        name: {one for one in named if not any(one in _below(graph, other, set()) for other in named - {one})}
        for name, named in graph.items()
    }


def _below(graph: Mapping[str, set[str]], name: str, seen: set[str]) -> set[str]:
    for one in graph.get(name, set()) - seen:
        seen.add(one)
        _below(graph, one, seen)
    return seen


def drawing() -> str:
    """Return the graph as Mermaid text."""
    graph = reduced(imports())
    names = sorted({name for pair in graph.items() if pair[1] for name in (pair[0], *pair[1])})
    lines = ["flowchart TD"]
    for number, title in enumerate(GROUPS):
        lines.append(f'  subgraph g{number}["{title}"]')
        lines += [f'    {_id(name)}["{name.rpartition(".")[2]}"]' for name in names if _group(name) == title]
        lines.append("  end")
    lines += [f"  {_id(name)} --> {_id(one)}" for name in names for one in sorted(graph.get(name, set()))]
    return "\n".join(lines) + "\n"


def _group(name: str) -> str:
    """Return the group with the longest beginning of the name."""
    return max((len(start), title) for title, start in GROUPS.items() if name.startswith(start))[1]


def _id(name: str) -> str:
    return name.removeprefix(f"{COLLECTION}.").replace(".", "_")


if __name__ == "__main__":
    raise SystemExit(marked.write(PAGE, "drawing", f"\n```mermaid\n{drawing()}```\n"))
