# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a builder can compile for a kernel, from what it says it has."""

from __future__ import annotations

from typing import Any

import pytest
from fakehost import FakeHost, act
from fakesweep import KERNEL

HAS_ALL = "stap=5.6\nheaders=yes\ndebuginfo=no\n"


def inspect(answer: str, **more: Any) -> dict[str, Any]:
    args = {"kernel": KERNEL, "stapruns": ["5.1"], **more}
    return act("sweep_inspect_builder", FakeHost("b1").says("stap -V", answer), **args)


def test_a_builder_with_all_it_takes() -> None:
    done = inspect(HAS_ALL)
    assert (done["wanted"], done["complete"], done["stap"], done["signer"]) == (True, True, "5.6", "")


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        ("stap=\nheaders=yes\ndebuginfo=no\n", {}),
        ("stap=5.6\nheaders=no\ndebuginfo=no\n", {}),
        (f"{HAS_ALL}absent=xfs\n", {"module_files": ["xfs"]}),
        (HAS_ALL, {"debuginfo": True}),
        ("", {}),
    ],
)
def test_what_it_lacks_makes_it_incomplete(answer: str, more: dict[str, Any]) -> None:
    assert inspect(answer, **more)["complete"] is False


def test_one_whose_modules_no_host_can_run_is_not_wanted() -> None:
    assert inspect(HAS_ALL, stapruns=["4.2"])["wanted"] is False


@pytest.mark.parametrize(
    ("answer", "more", "sentence"),
    [
        ("stap=5.6;reboot\n", {}, "the builder answers"),
        (f"{HAS_ALL}signer=../x\n", {}, "the builder answers"),
        (HAS_ALL, {"kernel": "x y"}, "a host says that its kernel is"),
    ],
)
def test_words_that_have_no_place_in_a_path_are_refused(
    answer: str, more: dict[str, Any], sentence: str
) -> None:
    done = inspect(answer, **more)
    assert done["failed"]
    assert done["msg"].startswith(sentence)


def test_names_of_modules_are_data_to_the_shell() -> None:
    host = FakeHost().says("stap -V", HAS_ALL)
    act("sweep_inspect_builder", host, kernel=KERNEL, module_files=["nfs_v4"], sign_cert="/a b; c")
    ((command, _),) = host.asked
    assert "nfs[-_]v4" in command
    assert "/a b; c" not in command.replace("'/a b; c'", "").replace("'\"'\"'/a b; c'\"'\"'", "")
