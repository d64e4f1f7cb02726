# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's events of a sweep into its run directory as they come, and the report at the end."""

from __future__ import annotations

DOCUMENTATION = """
name: report
type: aggregate
short_description: One report of a sweep over all hosts
version_added: 0.1.0
description:
  - Appends what happens to each host of a sweep to C(events.jsonl) in the run directory, as it happens.
  - Merges what all hosts sent and writes C(report.html), C(report.json), C(report.txt), C(report.md) and C(csv/) when
    the playbook ends. C(fleetdiag report) makes other formats of the same run directory.
  - Does nothing in playbooks that run no sweep, and makes no report of one in check mode, which samples nothing.
author:
  - The fleetdiag maintainers (@fleetdiag)
requirements:
  - enabled by its full name in C(callbacks_enabled)
options:
  make:
    description: Make the report. Without it only the events are kept, as where the report is made of several shards.
    type: bool
    default: true
    env:
      - name: FLEETDIAG_REPORT_MAKE
    ini:
      - section: callback_fleetdiag_report
        key: make
  show:
    description: Show C(report.txt), and where C(report.html) is, on the terminal when the playbook ends.
    type: bool
    default: true
    env:
      - name: FLEETDIAG_REPORT_SHOW
    ini:
      - section: callback_fleetdiag_report
        key: show
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError, no_report
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.phases import phase_of
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import EventRecord

NAMESPACE = "fleetdiag.systemtap."
START = NAMESPACE + "sweep_create"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fleetdiag.systemtap.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.run_dir: Path | None = None
        self.only_looks = False

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.resolved_action == START and "run_dir" in result.result:
            self.run_dir = Path(result.result["run_dir"])
            self.only_looks = result.result.get("check") is True
        if str(result.task.resolved_action).startswith(NAMESPACE):
            self._append(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._append(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._append(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self.run_dir is None or self.only_looks or not self.get_option("make"):
            return
        try:
            # Not above: a library the renderers lack must not break every playbook this callback is enabled for.
            from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.finish import sweep_end
            from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build

            report = build.build(self.run_dir, tell=self._display.display)
            sweep_end.sweep_finished(self.run_dir, report, self._show, self._warn)
        except Exception as error:  # whatever it is: the hosts were swept, and what they sent is kept
            self._warn(no_report(error, [self.run_dir]))

    def _show(self, written: Mapping[str, Sequence[str]]) -> None:
        """Show the text, and where the page is."""
        if self.run_dir is None or not self.get_option("show"):
            return
        for file in written["txt"]:
            self._display.display((self.run_dir / file).read_text(encoding="utf-8"))
        for file in written["html"]:
            self._display.display(printable(str(self.run_dir / file)))

    def _warn(self, sentence: str) -> None:
        self._display.warning(printable(sentence))

    def _append(self, result: Any, status: str) -> None:
        """Append one line to events.jsonl."""
        if self.run_dir is None:
            return
        delegated = result.result.get("_ansible_delegated_vars", {}).get("ansible_delegated_host")
        event = EventRecord(
            t=time.time(),
            host=result.host.get_name(),
            delegated_to=delegated or "",
            phase=phase_of(str(result.task.resolved_action), str(result.task._role or "")),
            task=result.task.get_name(),
            status=status,
            message=_message(result.result) if status != "ok" else "",
        )
        try:
            write.append_event(self.run_dir, event, sync=status != "ok")
        except FleetdiagError as error:
            self._warn(str(error))


def _message(result: dict[str, Any]) -> str:
    """Return what went wrong, in as few lines as Ansible gives."""
    return str(result.get("msg") or result.get("stderr") or result.get("module_stderr") or "")[:4000]
