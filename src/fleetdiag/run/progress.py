# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sees while a sweep runs: hosts x phases on a terminal, plain lines anywhere else.

`Progress` only keeps the state, fed with ansible-runner's events; a view shows it on stderr. Whatever came
from a host passes through `printable()` on its way into the state, so a view cannot show anything else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import contact
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.phases import PHASES, phase_of

SWEEP_START = "fleetdiag.systemtap.sweep_create"
_TASK_STARTS = ("playbook_on_task_start", "playbook_on_handler_task_start")
_MAX_MESSAGE = 300


@dataclass
class Trouble:
    """Why a host goes no further, in the phase where it stopped. verdict: the sweep says so, no task did."""

    phase: str
    message: str
    verdict: bool = False


class News(NamedTuple):
    """Something worth a line: a phase that began (`host` empty), or a host that stopped."""

    phase: str
    host: str = ""
    message: str = ""


@dataclass
class Progress:
    """Where each host of the sweep is. hosts: their inventory names; window_s: length of the window."""

    hosts: list[str]
    window_s: float
    phase: str = ""
    task: str = ""
    run_dir: Path | None = None
    troubles: dict[str, Trouble] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _phase_began: float = field(default_factory=time.time)
    _window_end: float | None = None

    def feed(self, event: Mapping[str, Any]) -> list[News]:
        """Take one event of ansible-runner; return what is worth telling about it."""
        kind = event.get("event")
        data = event.get("event_data") or {}
        if kind in _TASK_STARTS:
            name = str(data.get("task") or data.get("name") or "")
            return self._task_starts(
                name, phase_of(str(data.get("task_action")), str(data.get("role") or ""))
            )
        if kind in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            return self._host_answers(str(kind), data)
        return []

    def mark(self, host: str, phase: str) -> str:
        """Return how far `host` is in `phase`: done, active, stopped, or empty (not there yet, or not any more)."""
        trouble = self.troubles.get(host)
        here, now = PHASES.index(phase), PHASES.index(self.phase) if self.phase else -1
        if trouble is not None and here >= PHASES.index(trouble.phase):
            return "stopped" if phase == trouble.phase else ""
        return "done" if here < now else "active" if here == now else ""

    def count(self, phase: str, mark: str) -> int:
        """Return the number of hosts with this mark in this phase."""
        return sum(self.mark(host, phase) == mark for host in self.hosts)

    def seconds_left(self) -> float:
        """Return the seconds until the end of the window, on this machine's clock; never negative."""
        if self._window_end is None and self.run_dir is not None:
            self._window_end = _window_end(self.run_dir)
        end = self._window_end or self._phase_began + self.window_s
        return max(0.0, end - time.time())

    def _task_starts(self, name: str, phase: str) -> list[News]:
        self.task = printable(name.rpartition(" : ")[2].rpartition(" | ")[2])
        if phase not in PHASES:
            return []
        # The order is fixed: asking again after an installation is still part of the installation. Only the next
        # batch begins again, with arming.
        next_batch = (self.phase, phase) == ("collect", "arm")
        if self.phase and not next_batch and PHASES.index(phase) <= PHASES.index(self.phase):
            return []
        self.phase, self._phase_began = phase, time.time()
        return [News(phase)]

    def _host_answers(self, kind: str, data: Mapping[str, Any]) -> list[News]:
        host = printable(str(data.get("host") or ""))
        result = data.get("res")
        result = result if isinstance(result, dict) else {}
        if kind == "runner_on_ok":
            if data.get("task_action") == SWEEP_START and result.get("run_dir"):
                self.run_dir = Path(str(result["run_dir"]))
                return []
            if result.get("verdict") not in ("refused", "failed"):
                self._recover(host, verdict=result.get("verdict") == "ok")
                return []
            reason = first_line(result.get("reason") or "no reason given")
            return self._stop(host, f"{result['verdict']}: {reason}", verdict=True)
        if data.get("ignore_errors"):
            return []
        message = said_of(kind, result)
        self.failures.append(f"{host}: {message}")
        return self._stop(host, message, verdict=False)

    def _stop(self, host: str, message: str, *, verdict: bool) -> list[News]:
        phase = self.phase or PHASES[0]
        known = self.troubles.get(host)
        if known is not None and known.message == message:
            return []
        if host in self.hosts:
            self.troubles[host] = Trouble(known.phase if known else phase, message, verdict)
        return [News(phase, host, message)]

    def _recover(self, host: str, *, verdict: bool) -> None:
        """Forget the trouble of a host that answers again: it failed only at what the sweep can do without."""
        trouble = self.troubles.get(host)
        if trouble is not None and (verdict or not trouble.verdict):
            del self.troubles[host]


def said_of(kind: str, result: Mapping[str, Any]) -> str:
    """Return what a host's failure or unreachability says, in one line, with what to do where that is known."""
    said = str(result.get("msg") or result.get("stderr") or "no message")
    if kind != "runner_on_unreachable":
        return first_line(said)
    found = contact.obstacle(said)
    return f"unreachable: {first_line(found.reason)}" + (f" -> {found.remedy}" if found.remedy else "")


def first_line(text: object) -> str:
    """Return the first line that says something, safe to show and of bounded length."""
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    line = printable(lines[0]) if lines else ""
    return line if len(line) <= _MAX_MESSAGE else line[:_MAX_MESSAGE] + "…"


def _window_end(run_dir: Path) -> float | None:
    """Return the end of the window that the sweep itself has chosen; None until it has."""
    window = read.window(run_dir)
    return window.end if window else None


@dataclass(frozen=True)
class Look:
    """How progress is shown: not at all, as JSON lines, in colours where the terminal has some."""

    quiet: bool = False
    json: bool = False
    no_color: bool = False


def steps_teller(look: Look) -> Callable[[str], None] | None:
    """Return what shows a step of the report that takes long; None to show none."""
    if look.json:
        return lambda step: _write_line({"phase": "report", "message": step})
    return None if look.quiet else lambda step: print(f"fleetdiag: {step}", file=sys.stderr, flush=True)


def _write_line(line: Mapping[str, Any]) -> None:
    print(json.dumps({"time": round(time.time(), 3), **line}), file=sys.stderr, flush=True)


class View(Protocol):
    """One way to show a `Progress`."""

    def tell(self, news: News) -> None:
        """Show what has just happened."""


@contextmanager
def shown(progress: Progress, look: Look) -> Iterator[View]:
    """Yield the view that is asked for, else the one that suits stderr, for as long as the sweep runs."""
    if look.quiet or look.json:
        yield JsonLines(progress) if look.json else Quiet()
        return
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, no_color=look.no_color or None)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Plain(progress)
        return
    # Transient: the report says it all again, and better.
    with RichLive(
        get_renderable=lambda: _screen(progress, console),
        console=console,
        refresh_per_second=4,
        transient=True,
    ):
        yield Quiet()


class Quiet:
    """Tells nothing: the live table shows all of it anyway, or nobody wants to know."""

    def tell(self, news: News) -> None:
        """Do nothing."""


class JsonLines:
    """One object for each phase that begins and for each host that stops, for programs.

    time: seconds since the epoch; hosts, stopped: how many there are, and how many of them have stopped. A step of
    the report that takes long is one more, its phase is `report`.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def tell(self, news: News) -> None:
        """Write the line."""
        counts = {"hosts": len(self._progress.hosts), "stopped": len(self._progress.troubles)}
        said = {"host": news.host, "message": news.message} if news.host else {}
        _write_line({"phase": news.phase, **said, **counts})


class Plain:
    """One line for each phase that begins, with counts, and one for each host that stops."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._began = time.monotonic()

    def tell(self, news: News) -> None:
        """Write the line."""
        seconds = time.monotonic() - self._began
        print(f"fleetdiag {seconds:6.1f}s  {self._text(news)}", file=sys.stderr, flush=True)

    def _text(self, news: News) -> str:
        if news.host:
            return f"{news.phase}: {news.host}: {news.message}"
        total, out = len(self._progress.hosts), len(self._progress.troubles)
        counts = f"{total - out} of {total} hosts" if out else f"{total} host{'s' * (total != 1)}"
        length = f", {self._progress.window_s:g} s" if news.phase == "window" else ""
        return f"{news.phase} ({counts}{length})"


_SIGNS = {"done": ("✓", "green"), "active": ("…", "cyan"), "stopped": ("✗", "red"), "": ("", "")}


def _screen(progress: Progress, console: Console) -> RenderableType:
    """Return the table of hosts where it fits the terminal, else the one of counts; below it what runs now."""
    fits = len(progress.hosts) <= max(5, console.height - 8)
    table = _by_host(progress) if fits else _by_count(progress)
    now = f"{progress.phase or 'starting'}: {progress.task}"
    return Group(table, Text(now, style="dim", no_wrap=True, overflow="ellipsis"))


def _by_host(progress: Progress) -> Table:
    table = Table("host", *(_heading(progress, phase) for phase in PHASES), "", box=None, pad_edge=False)
    for host in progress.hosts:
        cells = [Text(*_SIGNS[progress.mark(host, phase)]) for phase in PHASES]
        trouble = progress.troubles.get(host)
        table.add_row(Text(printable(host)), *cells, Text(trouble.message if trouble else "", style="red"))
    return table


def _by_count(progress: Progress) -> Table:
    table = Table("hosts", *(_heading(progress, phase) for phase in PHASES), box=None, pad_edge=False)
    for mark in ("done", "active", "stopped"):
        counts = [progress.count(phase, mark) or "" for phase in PHASES]
        table.add_row(Text(mark), *(Text(str(number), _SIGNS[mark][1]) for number in counts))
    return table


def _heading(progress: Progress, phase: str) -> str:
    if phase == "window" and progress.phase == "window":
        return f"window {progress.seconds_left():.0f} s"
    return phase
