# SPDX-License-Identifier: GPL-3.0-or-later
"""How `probes dev` says in words how a script's output is read."""

from __future__ import annotations

from dataclasses import replace

from foreign import read_fleet

from fleetdiag.probes import inferred

PRINT = """NAME     CPU  TOOK (us)  CALLS
nginx      0   12         100
nginx      1   90           7
mysqld     1   15           8
"""


def said(printed: str, title: str = "./my.stp") -> list[str]:
    probe = read_fleet({"web1": printed}).probe
    return list(inferred.lines(replace(probe, title=title)))


def test_a_table_with_its_columns_and_how_its_prints_stand_to_each_other() -> None:
    lines = said(f"@@T 5000\n{PRINT}\n@@T 10000\n{PRINT.replace('100', '50')}\n")
    read, correct = lines
    assert read == (
        "read as: table table, rows below a line of words: NAME (key); CPU (key); TOOK (us) (last in us); CALLS (sum);"
        " each print has new figures"
    )
    assert correct == (
        "to have it read otherwise: say header, units, keys, merge or prints in my.yml (docs/scripts.md)"
    )


def test_text_and_examples() -> None:
    assert said("@@T 5000\nhello\n", "example:io/iotop") == ["read as: text"]


def test_a_probe_with_a_manifest_needs_no_word() -> None:
    probe = read_fleet({"web1": "hello\n"}).probe
    assert list(inferred.lines(replace(probe, unmodified=False))) == []
