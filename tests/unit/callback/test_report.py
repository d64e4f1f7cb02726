# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a playbook: the report and the index of runs; where no report can be made (A8), one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import reportdata

from ansible_collections.fleetdiag.systemtap.plugins.callback.report import CallbackModule
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import index
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build


@pytest.fixture
def callback() -> CallbackModule:
    made = CallbackModule()
    made._plugin_options = {"make": True, "show": True}  # what Ansible's loader of plugins sets
    return made


def test_a_playbook_ends_a_sweep_as_the_command_does(
    callback: CallbackModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback.run_dir = reportdata.sweep(tmp_path).path
    callback.v2_playbook_on_stats(None)
    shown = capsys.readouterr().out
    assert (callback.run_dir / "report.txt").read_text() in shown
    assert f"{callback.run_dir}/report.html" in "".join(shown.split("\n"))
    with index.reader(tmp_path) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_check_mode_makes_no_report(callback: CallbackModule, tmp_path: Path) -> None:
    callback.run_dir, callback.only_looks = reportdata.sweep(tmp_path).path, True
    callback.v2_playbook_on_stats(None)
    assert not (callback.run_dir / "report.txt").exists()


def test_a8_a_directory_that_is_gone_is_one_sentence(
    callback: CallbackModule, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback.run_dir = tmp_path / "gone"
    callback.v2_playbook_on_stats(None)
    said = " ".join(capsys.readouterr().err.split())
    assert "there is no such run directory" in said
    assert "what was collected is kept" in said


def test_a8_a_fault_of_the_report_itself_is_one_sentence(
    callback: CallbackModule,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raises(_: Path, **_more: object) -> None:
        raise OverflowError("a \x1b[31mfigure\nof a host")

    monkeypatch.setattr(build, "build", raises)
    callback.run_dir = tmp_path / "run"
    callback.v2_playbook_on_stats(None)
    err = capsys.readouterr().err
    assert "\x1b[31m" not in err
    said = "".join(err.split())  # the terminal's width breaks it into lines
    assert "OverflowError" in said
    assert f"fleetdiagreport{tmp_path}/run-o" in said
