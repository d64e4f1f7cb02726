# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts are SystemTap's own (4.8 to 5.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.stderr import (
    MAX_WARNINGS,
    Losses,
    read_losses,
)

OVERLOAD = "ERROR: probe overhead (201 cycles) exceeded threshold (100 cycles) in last 1000 cycles"


@pytest.mark.parametrize(
    ("said", "losses"),
    [
        ("", Losses()),
        ("WARNING: Number of errors: 0, skipped probes: 7", Losses(skipped=7)),
        ("WARNING: Number of errors: 3, skipped probes: 0", Losses(errors=3)),
        (
            "WARNING: There were 12 transport failures. Try stap -s to increase the buffer size from 4.",
            Losses(transport_failures=12),
        ),
        (
            "WARNING: There were 4 lost messages, 512 lost bytes, and 1 unexpected sequences.",
            Losses(lost_messages=4, lost_bytes=512),
        ),
        (OVERLOAD, Losses(errors=1, overload=True)),
        ("ERROR: probe overhead exceeded threshold", Losses(errors=1, overload=True)),
        (
            "ERROR: Skipped too many probes, check MAXSKIPPED or try again with stap -t for more details.",
            Losses(errors=1, skipped=1),
        ),
        (
            'WARNING: probe kernel.function("x") (address 0x0) registration error (rc -524)',
            Losses(dead_probes=1),
        ),
        ("WARNING: too many pending (warning) messages", Losses(lost_messages=1)),
        ("ERROR: Array overflow, check MAXMAPENTRIES near identifier 'x' at a.stp:3:1", Losses(errors=1)),
        ("WARNING: /usr/bin/staprun exited with status: 1", Losses()),
        ("WARNING: Number of errors: 0, skipped probes: 0", Losses()),
        ("some other chatter", Losses()),
    ],
)
def test_every_message(said: str, losses: Losses) -> None:
    read = read_losses(said + "\n")
    assert replace(read, warnings=()) == losses
    assert read.lossy == (losses != Losses())


def test_an_error_and_its_count_are_one() -> None:
    losses = read_losses("ERROR: division by 0\nWARNING: Number of errors: 1, skipped probes: 2\n")
    assert (losses.errors, losses.skipped) == (1, 2)
    assert losses.warnings == ("ERROR: division by 0", "WARNING: Number of errors: 1, skipped probes: 2")


def test_a_skip_by_cause_is_shown() -> None:
    said = "WARNING: Skipped due to global 'opens' lock timeout: 3"
    assert read_losses(said).warnings == (said,)


def test_warnings_are_few_different_short_and_safe_to_show() -> None:
    said = "".join(f"WARNING: \x1b[2J{n % 50} {'x' * 1000}\n" for n in range(1000))
    warnings = read_losses(said).warnings
    assert len(warnings) == MAX_WARNINGS == len(set(warnings))
    assert warnings[0].startswith(r"WARNING: \x1b[2J0 xxx")
    assert all(len(warning) < 320 for warning in warnings)


@given(st.text())
def test_no_text_breaks_it(said: str) -> None:
    read_losses(said)


def test_absurd_numbers_are_no_numbers() -> None:
    assert read_losses(f"WARNING: Number of errors: {'9' * 5000}, skipped probes: 1").skipped == 0


def test_points_of_another_build_of_a_program_are_not_placed() -> None:
    text = 'WARNING: Build-id mismatch [man warning::buildid]: "/usr/sbin/nginx" byte 0 (0xaa vs 0xbb)\n'
    assert read_losses(text).dead_probes == 1
    text = (
        'WARNING: u*probe failed nginx[812] \'process("/usr/sbin/nginx").function("f")\' addr 0x1 rc -524\n'
    )
    assert read_losses(text).dead_probes == 1


def test_skipped_probes_are_counted_once() -> None:
    text = "ERROR: Skipped too many probes, check MAXSKIPPED or try again with stap -t for more details.\n"
    assert read_losses(text).skipped == 1
    counted = "WARNING: Number of errors: 0, skipped probes: 101\n"
    assert read_losses(text + counted).skipped == 101
    assert read_losses(counted + text).skipped == 101
