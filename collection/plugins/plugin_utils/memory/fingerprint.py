# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a finding of one sweep the same as one of another: a versioned hash of what does not vary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding

VERSION = 1
"""A later way to make them applies to new findings; open ones of another version are closed as superseded."""
LENGTH = 12
FAMILIES = {"compare": "differs", "changed": "differs"}
"""Kinds of findings that have one cause, so that they share a fingerprint."""


def of(
    name: str, kind: str, who: str, measure: tuple[str, str, str], direction: str, key: Sequence[object] = ()
) -> str:
    """Return the fingerprint. name: of the sweep. who: host or set. measure: probe, table, measure."""
    parts = [VERSION, name, FAMILIES.get(kind, kind), who, *measure, direction, list(key)]
    text = json.dumps(parts, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:LENGTH]


def direction_of(finding: Finding) -> str:
    """Return `up` or `down`; a figure that nothing was expected of is up."""
    return "down" if finding.expected is not None and finding.value < finding.expected else "up"


def stable_key(finding: Finding) -> list[object]:
    """Return the parts of a finding's key that last from sweep to sweep: texts do, numbers of processes do not."""
    if finding.kind == "check":
        return []  # the worst row of many; another is the worst in the next sweep
    return [part for part in finding.key if isinstance(part, str)]
