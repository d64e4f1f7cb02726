# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host hands over of its kernel, kept on the controller once for each build id."""

from __future__ import annotations

import gzip
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from fakehost import FakeHost, act
from kernelinfo_maker import BUILD_ID, kallsyms, notes

OWN = BUILD_ID.hex()


def sent(**parts: bytes) -> str:
    return "".join(f"{name} {b64encode(gzip.compress(value)).decode()}\n" for name, value in parts.items())


def fetch(host: FakeHost, build_id: str = OWN, **more: Any) -> dict[str, Any]:
    return act("sweep_kernel_info", host, build_id=build_id, **{"btf": False, **more})


def test_a_kernel_is_asked_once() -> None:
    host = FakeHost().says("kallsyms", sent(notes=notes(), kallsyms=kallsyms({})))
    first = fetch(host)
    assert Path(first["path"]).is_file()
    assert fetch(host)["path"] == first["path"]
    assert len(host.asked) == 1


def test_what_was_kept_without_types_is_asked_again_where_they_are_wanted() -> None:
    host = FakeHost().says("kallsyms", sent(notes=notes(), kallsyms=kallsyms({})), "no-btf\n")
    fetch(host)
    assert "has no BTF" in fetch(host, btf=True)["msg"]
    assert len(host.asked) == 2


@pytest.mark.parametrize(
    ("answer", "build_id", "sentence"),
    [
        (
            sent(notes=notes(), kallsyms=kallsyms({})),
            "ab" * 20,
            f"web1: it hands over a kernel with build id {OWN}",
        ),
        ("notes !!\nkallsyms !!\n", OWN, "web1: "),
        ((1, "", "sed: no such file\n"), OWN, "its kernel could not be asked (sed: no such file"),
        ("", "../../evil", "a host says that its kernel's build id is"),
    ],
)
def test_a_bad_answer_is_one_sentence_and_nothing_is_kept(
    tmp_path: Path, answer: str | tuple[int, str, str], build_id: str, sentence: str
) -> None:
    done = fetch(FakeHost().says("kallsyms", answer), build_id)
    assert done["failed"]
    assert done["msg"].startswith(sentence)
    assert "\n" not in done["msg"]
    assert [path for path in tmp_path.rglob("*.json") if path.is_file()] == []


def test_check_mode_asks_nothing() -> None:
    host = FakeHost()
    assert act("sweep_kernel_info", host, check_mode=True, build_id=OWN)["would_run"]
    assert host.asked == []
