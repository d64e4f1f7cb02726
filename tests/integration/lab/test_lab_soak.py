# SPDX-License-Identifier: GPL-3.0-or-later
"""Minutes of random faults on two machines; the hour that collection/docs/security.md tells of is run by hand."""

from __future__ import annotations

import pytest

from fleetdiag.lab import soak
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("five minutes and more")]


def test_faults_leave_nothing_and_cost_no_other_host_its_result(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    status = soak.run(5, 11)
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.splitlines()[-1].endswith(" 0 leaks")
