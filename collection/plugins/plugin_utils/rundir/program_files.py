# SPDX-License-Identifier: GPL-3.0-or-later
"""Which builds of the probed programs a host has, as its programs.json says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import (
    mapping,
    number,
    text,
)


@dataclass(frozen=True)
class ProgramFile:
    """One program or library. path: as the script names it; real: the file that this leads to on the host `host`.

    trouble: why it cannot be probed there, in one sentence; then the other facts may be empty.
    """

    path: str = ""
    real: str = ""
    sha256: str = ""
    build_id: str = ""
    bytes: float = 0
    host: str = ""
    trouble: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProgramFile:
        """Return the file that an entry of programs.json holds."""
        words = {key: text(data, key) for key in ("path", "real", "sha256", "build_id", "host", "trouble")}
        return cls(**words, bytes=number(data, "bytes") or 0)


@dataclass(frozen=True)
class ProgramsRecord:
    """programs.json: the files of one host, by the path that a script names."""

    PHASE: ClassVar = "programs"

    files: Mapping[str, ProgramFile] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProgramsRecord:
        """Return the record that programs.json holds."""
        files = mapping(data, "files")
        return cls({str(path): ProgramFile.from_json(mapping(files, path)) for path in files})

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""
        return {"files": {path: asdict(file) for path, file in self.files.items()}}
