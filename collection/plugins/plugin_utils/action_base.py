# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins share: the one place under plugin_utils that knows Ansible's plugin machinery."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, TypeVar

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import contact
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.read import read_host
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    EventRecord,
    PreflightRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard

REPORT_IT = "that is a fault of fleetdiag: report it with the run directory"
LOOK_S = 0.1
"""How often what is bounded is looked at."""
Found = TypeVar("Found")

display = Display()


class FleetdiagAction(ActionBase):
    """An action that checks its arguments, does `work()`, and turns a FleetdiagError into one sentence.

    A subclass names its arguments in ARGS (argument_spec) and returns a small dict: a summary and paths, never rows.
    TOUCHES_HOSTS says that it changes something outside the controller: in check mode it does `would()` instead.
    """

    ARGS: ClassVar[dict[str, dict[str, Any]]] = {}
    TOUCHES_HOSTS = False
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        self.task_vars: dict[str, Any] = task_vars or {}
        args = self.validate_argument_spec(argument_spec=self.ARGS)[1]
        work = self.would if self.TOUCHES_HOSTS and self._task.check_mode else self.work
        try:
            return {**result, "changed": False, **work(args)}
        except FleetdiagError as error:
            return {**result, "failed": True, "msg": str(error)}
        except AnsibleError:
            raise
        except Exception as error:
            return {
                **result,
                "failed": True,
                "msg": f"{self._task.action}: {_unforeseen(error)}; {REPORT_IT}",
            }

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        """Do the work of this action; the dict is the task's result."""
        raise NotImplementedError

    def would(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return what `work()` would do, for check mode: nothing is done, and no host is asked."""
        del args
        return {"would_run": True}

    @property
    def only_looks(self) -> bool:
        """Return whether the playbook runs in check mode, also in a task that does not."""
        return bool(self.task_vars.get("ansible_check_mode"))

    def of_each(
        self, run: Path, hosts: Iterable[str], read: Callable[[str], Found | None]
    ) -> dict[str, Found]:
        """Read something of every host in a step that runs once for all; None is left out.

        A host of which that cannot be read is left out, too, and said in a warning and in the report: it must not cost
        the others.
        """
        found: dict[str, Found] = {}
        for host in hosts:
            try:
                one = read(host)
            except FleetdiagError as error:
                self._leave_out(run, host, str(error))
            except Exception as error:
                self._leave_out(run, host, f"its records cannot be read ({_unforeseen(error)}); {REPORT_IT}")
            else:
                if one is not None:
                    found[host] = one
        return found

    def _leave_out(self, run: Path, host: str, why: str) -> None:
        display.warning(f"{printable(host)}: is left out: {why}")
        phase, named, _unused = self._task.get_name().rpartition(" : ")[2].partition(" | ")
        event = EventRecord(
            t=time.time(),
            host=host,
            phase=phase.lower() if named else "",
            task=self._task.get_name(),
            status="failed",
            message=why,
        )
        write.append_event(run, event)

    @property
    def host(self) -> str:
        """Return the inventory name of the host this task is for (also when it is delegated)."""
        return str(self.task_vars["inventory_hostname"])

    def on_host(self, command: str, data: bytes | None = None, *, root: bool = True) -> tuple[int, str, str]:
        """Run one shell command on the task's host; (exit code, stdout, stderr)."""
        try:
            answer = self._low_level_execute_command(
                command, sudoable=root, in_data=data, encoding_errors="surrogateescape"
            )
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            raise _no_root(str(error)) from error
        err = answer["stderr"]
        if answer["rc"] and _is_become_failure(err):
            raise _no_root(err)
        return int(answer["rc"]), str(answer["stdout"]), str(err)

    def read_clock(self) -> str:
        """Return the time that the task's host says it is, as measure_clock wants it."""
        return self.on_host("date +%s.%N", root=False)[1]

    def guard(self) -> Guard:
        """Return guard.sh on the task's host."""
        return Guard(self.on_host)


def shown(sentence: str) -> dict[str, Any]:
    """Return the part of a result that Ansible shows without being asked for more."""
    return {"msg": printable(sentence), "_ansible_verbose_always": True}


class _EndedError(BaseException):
    """Passes what Ansible's connections do about an Exception, which is to try again."""


@contextlib.contextmanager
def within(seconds: int, late: str, *, most_bytes: int, large: str) -> Iterator[None]:
    """End what takes longer, or this much more memory, with a FleetdiagError that says `late` or `large`.

    The task's own timeout goes on.
    """
    held, began, left = _peak_bytes(), time.monotonic(), signal.alarm(0)
    before = signal.getsignal(signal.SIGALRM)
    ends = began + min(seconds, left or seconds)

    def look(number: int, frame: FrameType | None) -> None:
        if _peak_bytes() - held > most_bytes:
            raise _EndedError(large)
        if time.monotonic() >= ends:
            if left and left <= seconds and callable(before):
                before(number, frame)
            raise _EndedError(late)

    signal.signal(signal.SIGALRM, look)
    try:
        signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)
        yield
    except _EndedError as error:
        raise FleetdiagError(str(error)) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.alarm(max(1, left - int(time.monotonic() - began)))


def _peak_bytes() -> int:
    """Return the most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def ready(run: Path, host: str) -> PreflightRecord | None:
    """Return the preflight.json of a host that can be probed, else None; FleetdiagError for one that breaks a rule."""
    facts = read_host(run, host, PreflightRecord.PHASE)
    told = None if facts is None else PreflightRecord.from_json(facts)
    if facts is None or told is None or told.verdict != "ok":
        return None
    if wrong := preflight.unusable(facts):
        raise FleetdiagError(f"its preflight.json cannot be used: {wrong}; sweep again")
    return told


def _unforeseen(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}")[:500]


def _is_become_failure(err: str) -> bool:
    return any(line.startswith(("sudo:", "su:", "doas:")) for line in err.strip().splitlines()[-2:])


def _no_root(said: str) -> FleetdiagError:
    found = contact.obstacle(said)
    advice = found.remedy or "allow the user sudo without a password or use --ask-become-pass"
    return FleetdiagError(f"cannot become root: {found.reason}; {advice}")
