# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of what SystemTap leaves. The C source is that of SystemTap 5.6."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.probe_points import lifeless

CONTROL = [
    ('procfs(\\"window\\").write', "<input1>:24:1"),
    ("timer.ms(10)", "<input1>:34:1"),
    ("end(1000)", "<input1>:72:1"),
]


LIBRARY = [("begin(-9223372036854775808)", "/usr/share/systemtap/tapset/x86_64/registers.stp:11:7")]


def compiled(folder: Path, *points: str) -> str:
    """What is said of a script with these points, as SystemTap's C source lists them."""
    own = [(point, "x.stp:1:1") for point in points]
    lines = ["  #define STAP_PROBE_INIT(I, PH, PP, PN, L, D) { .index=(I), .ph=(PH), .cond_enabled=1 }"]
    for number, (point, place) in enumerate([*own, *CONTROL, *LIBRARY]):
        lines.append(
            f'  STAP_PROBE_INIT({number}, &probe_643{number}, "{point}", "alias", "{place}", " from: {point}"),'
        )
    (folder / "stapAbC").mkdir()
    (folder / "stapAbC" / "fd_x_src.c").write_text("\n".join(lines))
    return str(lifeless(str(folder), "fd_x", "x.stp"))


@pytest.mark.parametrize(
    "points",
    [
        ['kernel.trace(\\"raw_syscalls:sys_enter\\")'],
        ["begin", "timer.profile", "end"],
        ["timer.s(5)", "perf.type(1).config(0).sample(1000000)"],
        ['process(\\"/bin/ls\\").function(\\"main\\")'],
        ['netfilter.hook(\\"NF_INET_PRE_ROUTING\\").pf(\\"NFPROTO_IPV4\\")'],
    ],
)
def test_one_live_point_is_enough(tmp_path: Path, points: list[str]) -> None:
    assert compiled(tmp_path, *points) == ""


@pytest.mark.parametrize(
    ("points", "left"),
    [
        (["begin"], "only begin is left"),
        (
            ["begin", "end", "timer.s(1)", 'procfs(\\"__stdin\\").write'],
            'only begin, end, timer.s(1), procfs("__stdin").write',
        ),
        (["timer.ms(500)", "timer.ms(500)"], "only timer.ms(500) is left"),
        (["error", "never"], "only error, never is left"),
        ([], "probes nothing is left"),
    ],
)
def test_a_script_that_would_yield_nothing_is_an_error(tmp_path: Path, points: list[str], left: str) -> None:
    said = compiled(tmp_path, *points)
    assert said.startswith("x.stp: no live probe point")
    assert left in said
    assert "\n" not in said


def test_a_source_that_cannot_be_read_is_no_reason_to_refuse(tmp_path: Path) -> None:
    assert lifeless(str(tmp_path), "fd_x", "x.stp") == ""
    (tmp_path / "stap1").mkdir()
    (tmp_path / "stap1" / "fd_x_src.c").write_text("another SystemTap has another form")
    assert lifeless(str(tmp_path), "fd_x", "x.stp") == ""
