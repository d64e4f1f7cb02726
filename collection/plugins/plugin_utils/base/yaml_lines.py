# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as plain data that remembers the line of every key, and sentences that say where a fault is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.bounded_text import read_text
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

MAX_BYTES = 256 * 1024

Place = tuple[str | int, ...]
"""Where a value stands in a manifest: ("tables", "files", "columns", "pid")."""


@dataclass(frozen=True)
class Source:
    """What a manifest came from, to say where a fault is. lines: of each key; empty if it was no file.

    faults: a list, to go on after a fault and keep them all; None, to stop at the first.
    """

    label: str
    lines: Mapping[Place, int] = field(default_factory=dict)
    faults: list[str] | None = None

    def try_rule(self, rule: Callable[..., None], *args: Any) -> None:
        """Look at one rule; its fault ends everything, or is kept."""
        try:
            rule(*args)
        except FleetdiagError as fault:
            if self.faults is None:
                raise
            self.faults.append(str(fault))

    def fail(self, place: Place, what: str, advice: str) -> NoReturn:
        line = self.line(place)
        where = f"{self.label}:{line}" if line else self.label
        name = printable(".".join(str(part) for part in place)) or "manifest"
        raise FleetdiagError(f"{where}: {name}: {what}; {advice}")

    def line(self, place: Place) -> int:
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 0


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases: a manifest needs none, and a few lines of them can grow without bound."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def read(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """Return the manifest's data and the line of every key. Raises FleetdiagError naming file and line."""
    text = read_text(path, MAX_BYTES, "manifest: ")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Place, int] = {(): 1}
        data = _plain(loader, node, (), lines) if node else None
    except RecursionError as error:
        raise FleetdiagError(f"{path}:1: manifest: is nested too deeply; see the shipped probes") from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        said = printable(str(getattr(error, "problem", None) or error).split("\n", 1)[0])
        line = mark.line + 1 if mark else 1
        raise FleetdiagError(f"{path}:{line}: YAML: {said}; correct the line or the one before") from error
    if not isinstance(data, dict):
        raise FleetdiagError(f"{path}:1: manifest: is not a mapping; begin with description: ...")
    return data, lines


def _plain(loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    """Return a node as plain data; duplicate keys and unknown tags are errors."""
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(loader, key_node)
            if key in data:
                raise yaml.MarkedYAMLError(problem=f"{key} is there twice", problem_mark=key_node.start_mark)
            lines[(*place, key)] = key_node.start_mark.line + 1
            data[key] = _plain(loader, value_node, (*place, key), lines)
        return data
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        items = []
        for position, item in enumerate(node.value):
            lines[(*place, position)] = item.start_mark.line + 1
            items.append(_plain(loader, item, (*place, position), lines))
        return items
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.MarkedYAMLError(problem=f"{node.tag} is not allowed", problem_mark=node.start_mark)
    try:
        value = loader.construct_object(node)
    except ValueError as error:
        raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error
    if isinstance(value, int) and value.bit_length() > 64:
        raise yaml.MarkedYAMLError(problem="a number that does not fit 64 bits", problem_mark=node.start_mark)
    return value


def _key(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    key = loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
    if not isinstance(key, str):
        raise yaml.MarkedYAMLError(
            problem="a key that is not text (y, n, on, off and numbers need quotes)",
            problem_mark=node.start_mark,
        )
    return key
