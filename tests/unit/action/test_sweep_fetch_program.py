# SPDX-License-Identifier: GPL-3.0-or-later
"""A program is taken from a host once for each content."""

from __future__ import annotations

import base64
import gzip
import hashlib
import threading
from dataclasses import asdict
from typing import Any

import pytest
from fakehost import Answer, FakeHost, act
from kernelinfo_maker import BUILD_ID
from program_maker import program

from ansible_collections.fleetdiag.systemtap.plugins.action import sweep_fetch_program
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.programs import ProgramStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

DATA = program()
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = ProgramFile("/b", "/usr/b", SHA256, BUILD_ID.hex(), len(DATA), "web1")


def fetch(host: FakeHost, **change: Any) -> dict[str, Any]:
    return act("sweep_fetch_program", host, file={**asdict(FILE), **change})


def test_a_host_is_asked_once() -> None:
    host = FakeHost().says("gzip -6 -c </usr/b ", base64.b64encode(gzip.compress(DATA, mtime=0)).decode())
    assert fetch(host)["fetched"]
    assert not fetch(host)["fetched"]
    assert len(host.asked) == 1
    path = ProgramStore().get(SHA256)
    assert path is not None
    assert path.read_bytes() == DATA


def test_a_bad_answer_is_one_sentence_that_names_host_and_path_and_nothing_is_kept() -> None:
    done = fetch(FakeHost().says("gzip", (1, "", "no such file\n")))
    assert done["failed"]
    assert done["msg"] == "web1: /b was not handed over (no such file); sweep again"
    assert ProgramStore().get(SHA256) is None
    assert "is not a checksum" in fetch(FakeHost(), sha256="../../evil")["msg"]


def test_an_answer_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(FakeHost):
        def answer(self, command: str, data: bytes | None) -> Answer:
            threading.Event().wait()
            return super().answer(command, data)

    monkeypatch.setattr(sweep_fetch_program, "MOST_S", 0)
    assert fetch(Endless())["msg"] == "web1: /b was not handed over within 0 s; sweep again"
