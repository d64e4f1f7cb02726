# SPDX-License-Identifier: GPL-3.0-or-later
"""programs.json is read back as it was written, and what is none of its own is left out."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import (
    ProgramFile,
    ProgramsRecord,
)

FILE = ProgramFile("/b", "/usr/b", "ab" * 32, "cd" * 20, 12, "web1")


def test_what_is_written_is_read_back() -> None:
    record = ProgramsRecord(
        {"/b": FILE, "/c": ProgramFile("/c", host="web1", trouble="there is no such file")}
    )
    assert ProgramsRecord.from_json(record.to_json()) == record


def test_what_has_another_type_is_left_out() -> None:
    told = ProgramsRecord.from_json({"files": {"/b": {"real": 3, "bytes": "x", "sha256": ["a"]}, "/c": 5}})
    assert told == ProgramsRecord({"/b": ProgramFile(), "/c": ProgramFile()})
    assert ProgramsRecord.from_json({"files": 7}) == ProgramsRecord()
