# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of staprun and what to do about each."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.remedies import remedies


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("ERROR: Couldn't insert module 'x.ko': Invalid module format", "another build of its kernel"),
        ("ERROR: Couldn't insert module 'x.ko': Unknown symbol in module", "load it or leave the probe out"),
        ("ERROR: Couldn't insert module 'x.ko': Cannot allocate memory", "free memory on it"),
        (
            "ERROR: Array overflow, check MAXMAPENTRIES near identifier 'q'",
            "-DMAXMAPENTRIES=N on its first line",
        ),
        ("ERROR: MAXACTION exceeded near keyword at x.stp:3:1", "-DMAXACTION=N on its first line"),
        ("ERROR: module version mismatch (#1 vs #2)", "matches the builder's version"),
    ],
)
def test_each_error_has_its_advice(error: str, advice: str) -> None:
    (found,) = remedies([error, error])
    assert advice in found


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert remedies(["", "exited with 1"]) == []
