# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of what must be alike for the figures of two sweeps to be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

_LENGTH = 12


def of_probe(script: str, manifest: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the hash of a probe's script, output form, tables and parameters; words that explain do not count."""
    tables = _without_words(manifest.get("tables", {}))
    return _hash([script, manifest.get("output"), tables, dict(parameters)])


def of_sweep(probes: Iterable[str], window_s: float) -> str:
    """Return the hash of a sweep: of its probes, in any order, and of the length of its window."""
    return _hash([sorted(probes), float(window_s)])


def _without_words(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_words(item) for key, item in value.items() if key != "description"}
    if isinstance(value, (list, tuple)):
        return [_without_words(item) for item in value]
    return value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_LENGTH]
