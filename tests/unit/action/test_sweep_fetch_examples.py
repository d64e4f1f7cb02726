# SPDX-License-Identifier: GPL-3.0-or-later
"""SystemTap's examples of a builder, brought to the controller's cache."""

from __future__ import annotations

import gzip
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain

NAME = f"{plain.EXAMPLE}network/nettop"


def packed(text: bytes) -> str:
    return b64encode(gzip.compress(text)).decode()


def answer(script: str, *, folder: str = "folder=/usr/share/systemtap/examples\n") -> str:
    return f"stap=5.1\n{folder}name=network/nettop\nfile=network/nettop.stp {script}\n"


def fetch(host: FakeHost) -> dict[str, Any]:
    return act("sweep_fetch_examples", host, probes=[NAME, "slow_open"], host="b1")


def test_what_was_asked_for_is_kept_by_the_version_of_systemtap() -> None:
    host = FakeHost("b1").says("network/nettop", answer(packed(b"probe begin {}")))
    done = fetch(host)
    folder = Path(done["folder"])
    assert (done["stap"], folder.name) == ("5.1", "5.1")
    assert (folder / "network/nettop.stp").read_text() == "probe begin {}"
    assert "slow_open" not in host.asked[0][0]


def test_a_host_without_examples_is_no_failure() -> None:
    done = fetch(FakeHost("b1").says("", "stap=5.1\n"))
    assert (done.get("failed"), done["folder"], done["stap"]) == (None, "", "5.1")


def test_a_file_that_nobody_asked_for_is_not_kept() -> None:
    evil = f"{answer(packed(b'x'))}file=../../evil {packed(b'x')}\n"
    folder = Path(fetch(FakeHost("b1").says("", evil))["folder"])
    assert "evil" not in [path.stem for path in folder.parents[1].rglob("*")]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (answer("bm90IGd6aXA="), "the example network/nettop.stp did not arrive whole from the builder"),
        ((2, "", "sh: 1: Syntax error\x1b[2J\n"), "b1 could not be asked for SystemTap's examples: sh: 1"),
    ],
)
def test_a_bad_answer_is_one_sentence(said: str | tuple[int, str, str], sentence: str) -> None:
    done = fetch(FakeHost("b1").says("", said))
    assert done["failed"]
    assert done["msg"].startswith(sentence)
    assert "\x1b" not in done["msg"]
