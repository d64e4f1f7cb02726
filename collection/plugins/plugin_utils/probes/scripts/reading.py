# SPDX-License-Identifier: GPL-3.0-or-later
"""`my.yml` beside `my.stp`: what its author says of the output, where that cannot be seen in it.

header: PROCESS CALLS TIME
units: {TIME: us}
keys: [PROCESS, CPU]
merge: {CALLS: sum}
prints: reset
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import yaml_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.yaml_lines import Place, Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Prints

KEYS = ("header", "units", "keys", "merge", "prints")
PRINTS = get_args(Prints)
MERGES = ("sum", "max", "min", "mean", "last")
MAX_ITEMS = 24
MAX_TEXT = 240


def file_of(script: Path) -> Path:
    """Return where the file of a script would be."""
    return script.with_suffix(".yml")


def read(script: Path, faults: list[str] | None = None) -> dict[str, Any]:
    """Return what stands beside a script; {} if nothing does.

    faults: takes one sentence for each thing that is wrong; without it the first is a FleetdiagError.
    """
    path = file_of(script)
    if not path.is_file():
        return {}
    try:
        data, lines = yaml_lines.read(path)
    except FleetdiagError as error:
        said = str(error).replace("begin with description: ...", f"say {', '.join(KEYS)}, or rename the file")
        if faults is None:
            raise FleetdiagError(said) from error
        faults.append(said)
        return {}
    source = Source(str(path), lines, faults)
    for key, value in data.items():
        source.try_rule(_check, key, value, source)
    if isinstance(data.get("header"), str):
        data["header"] = [data["header"]]
    return data


def _check(key: str, value: Any, source: Source) -> None:
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"it may say {', '.join(KEYS)}"
        source.fail((key,), "is not known", advice)
    if key == "prints":
        if value not in PRINTS:
            source.fail(
                (key,),
                f"{value!r} is neither {' nor '.join(PRINTS)}",
                "say reset if each print has new figures, cumulative if they count on",
            )
    elif key in ("units", "merge"):
        _check_mapping(key, value, source)
    else:
        texts = [value] if isinstance(value, str) and key == "header" else value
        if not isinstance(texts, list) or not 0 < len(texts) <= MAX_ITEMS:
            source.fail((key,), "is no list of texts", f"give 1 to {MAX_ITEMS}, for instance [PROCESS, CPU]")
        for text in texts:
            _check_text((key,), text, source)


def _check_mapping(key: str, value: Any, source: Source) -> None:
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_ITEMS:
        source.fail((key,), "is no mapping of columns", f"give 1 to {MAX_ITEMS}, for instance {{TIME: us}}")
    for column, said in value.items():
        _check_text((key, column), column, source)
        _check_text((key, column), said, source)
        if key == "merge" and said not in MERGES:
            source.fail((key, column), f"{said!r} is no way to merge", f"say {', '.join(MERGES)}")
        if key == "units" and len(said) > 12:
            source.fail((key, column), "is too long for a unit", "give at most 12 characters")


def _check_text(place: Place, text: Any, source: Source) -> None:
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
        source.fail(place, "is no text of one line", f"give 1 to {MAX_TEXT} characters, in quotes if need be")
