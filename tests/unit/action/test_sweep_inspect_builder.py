# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a builder can compile for a kernel, from what it says it has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
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
        (f"{HAS_ALL}machine=x86_64\ncompiler=no\n", {"machine": "aarch64"}),
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
        (f"{HAS_ALL}machine=/x\n", {}, "the builder answers"),
        (HAS_ALL, {"kernel": "x y"}, "a host says that its kernel is"),
        (HAS_ALL, {"machine": "x y"}, "a host says that its machine is"),
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


def test_one_that_cannot_compile_for_the_machine_is_not_wanted() -> None:
    done = inspect(f"{HAS_ALL}machine=x86_64\n", machine="s390x")
    assert (done["wanted"], done["machine"]) == (False, "x86_64")
    assert inspect(f"{HAS_ALL}machine=x86_64\ncompiler=yes\n", machine="aarch64")["wanted"] is True


def test_a_real_shell_looks_for_the_compiler_that_the_headers_name(tmp_path: Path) -> None:
    host = FakeHost().says("stap -V", HAS_ALL)
    act("sweep_inspect_builder", host, kernel=KERNEL, machine="aarch64")
    ((command, _),) = host.asked
    (tmp_path / KERNEL / "build").mkdir(parents=True)
    variables = tmp_path / KERNEL / "build" / ".kernelvariables"
    variables.write_text("CC = $(if $(DEBIAN_KERNEL_USE_CCACHE),$(CCACHE)) $(CROSS_COMPILE)gcc-14\n")
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho x86_64\n")
    uname.chmod(0o755)

    def answer() -> list[str]:
        path = f"{tmp_path}:{os.environ['PATH']}"
        text = command.replace("/lib/modules", str(tmp_path))
        done = subprocess.run(
            ["sh", "-c", text], env={"PATH": path}, capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()

    assert "compiler=no" in answer()
    (tmp_path / "aarch64-linux-gnu-gcc-14").symlink_to(uname)
    assert "compiler=yes" in answer()
    uname.write_text("#!/bin/sh\necho aarch64\n")
    assert not [line for line in answer() if line.startswith("compiler")]
