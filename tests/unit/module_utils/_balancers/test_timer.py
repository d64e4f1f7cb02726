# SPDX-License-Identifier: GPL-3.0-or-later
"""The program beside a record: it has all it needs, and no other driver than its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import (
    driver,
    haproxy,
    lvs,
    timer,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import BalancerError

each_kind = pytest.mark.parametrize("own", [haproxy, lvs])


@each_kind
def test_the_program_runs_where_nothing_of_ours_is(own: driver.Driver, tmp_path: Path) -> None:
    """It waits first, and finds its record gone."""
    program = tmp_path / "t.py"
    data = timer.program(own)
    program.write_bytes(data)
    command = [sys.executable, "-I", str(program), "0", str(tmp_path / "t.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = {Path(name).stem for name in zipfile.ZipFile(io.BytesIO(data)).namelist()}
    assert {"haproxy", "lvs"} & names == {own.KIND}
    assert not program.exists()  # with its record


@each_kind
def test_a_damaged_record_ends_the_program_with_a_sentence(own: driver.Driver, tmp_path: Path) -> None:
    record, program = tmp_path / "t.json", tmp_path / "t.py"
    record.write_text(json.dumps({"entries": [{"backend": "web"}]}))
    program.write_bytes(timer.program(own))
    command = [sys.executable, "-I", str(program), str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{record}: is damaged")


def test_a_timer_that_cannot_be_set_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lowered without it."""
    (tmp_path / "systemd-run").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    (tmp_path / "systemd-run").chmod(0o755)
    (tmp_path / "records").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(timer, "_SYSTEMD", str(tmp_path))
    record = str(tmp_path / "records" / "t.json")
    with pytest.raises(BalancerError, match="cannot be set: Failed to connect to bus; nothing was changed"):
        timer.set_timer(lvs, record, 60)
    assert list((tmp_path / "records").iterdir()) == []


def test_a_record_is_for_its_owner_alone_and_goes_with_its_program(tmp_path: Path) -> None:
    record = tmp_path / "t.json"
    entry = records.Entry("lvs", "tcp 10.0.0.1:80", "10.0.0.2:80", 100, 50)
    records.keep(str(record), [entry])
    (tmp_path / "t.py").touch()
    assert (record.stat().st_mode & 0o777, records.read_record(str(record))) == (0o600, [entry])
    records.keep(str(record), [])
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_goes_away_meanwhile_costs_no_other(tmp_path: Path) -> None:
    """A timer may give one back between listing and looking; a link to nothing stands for that moment."""
    kept, gone = tmp_path / "kept.json", tmp_path / "gone.json"
    records.keep(str(kept), [records.Entry("lvs", "tcp 10.0.0.1:80", "10.0.0.2:80", 100, 50)])
    gone.symlink_to(tmp_path / "nothing")
    assert records.records_in(str(tmp_path)) == [str(kept), str(gone)]
    assert records.read_record(str(gone)) == []
