# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `calltrace`: lines of `thread_indent()`, folded to one call tree for each process name.

A line is `%6d comm(tid):`, one space for each level, `->function` or `<-function`; the number is microseconds
since the thread's outermost call. Calls and returns are matched by thread and name. What is missing at the
edges of the window, or was lost between, is counted (unfinished calls, orphan returns) and adds nothing to
the times. The comm is the kernel's 15 bytes, which may imitate the rest of a line: only the last `(tid):`
before the arrow counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain, unescape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import (
    CallNode,
    CallTree,
    SessionResult,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError

OTHER = "(other)"  # no function has such a name
MAX_NODES = 20_000
MAX_PROCESSES = 500
MAX_THREADS = 20_000
MAX_DEPTH = 256
_COMM_BYTES = 15

_HEAD = rb"\s*(-?[0-9]{1,18}) (.{0,150}%s)\(([0-9]{1,10})\):( *)(->|<-) ?(\S{1,256})"
# Without anything after the function's name the last possible `(tid):` is the true one. A script that prints
# arguments too is read from the left, so that no argument can pass for a call.
_BARE = re.compile(_HEAD % b"" + rb"\s*")
_WITH_ARGUMENTS = re.compile(_HEAD % b"?" + rb"\s.*")
_ADDRESS = re.compile(r"(?:0x)?[0-9a-f]{6,}|\?|<unknown>")


class _Line(NamedTuple):
    us: int
    comm: str
    tid: int
    depth: int
    is_call: bool
    function: str


@dataclass
class _Node:
    """One function called from one chain of callers."""

    function: str
    children: dict[str, _Node] = field(default_factory=dict)
    count: int = 0
    total_us: int = 0
    self_us: int = 0
    unfinished: int = 0


@dataclass
class _Process:
    root: _Node
    unfinished: int = 0
    orphan_returns: int = 0


@dataclass
class _Frame:
    """An open call of one thread. `process` is the name the thread had when it called."""

    node: _Node
    process: _Process
    function: str
    depth: int
    start_us: int
    children_us: int = 0


class CalltraceForm:
    """Folds the lines as they come; memory is bounded by the limits, not by the length of the trace."""

    def __init__(self, max_nodes: int = MAX_NODES, max_processes: int = MAX_PROCESSES) -> None:
        self._processes: dict[str, _Process] = {}
        self._threads: dict[int, list[_Frame]] = {}
        self._max_nodes = max_nodes
        self._max_processes = max_processes
        self._nodes = 0
        self._folded_calls = 0
        self._dropped_threads = 0

    def line(self, line: bytes, _t_ms: int | None = None) -> None:
        if not line.strip():
            return
        event = _parse(line)
        frames = self._frames(event.tid)
        if event.is_call:
            self._call(frames, event)
        else:
            self._return(frames, event)
        if not frames:
            del self._threads[event.tid]

    def before(self, line: bytes) -> None:
        """Ignore a line before the window: the return of a call made there is an orphan."""

    def finish(self, result: SessionResult) -> None:
        for frames in self._threads.values():
            _abandon(frames, 0)
        self._threads.clear()
        result.calltrees = tuple(self._trees())
        result.folded_calls = self._folded_calls
        if self._folded_calls:
            result.notes.append(
                f"{self._folded_calls} calls are counted under {OTHER}:"
                f" a call tree holds {self._max_nodes} nodes and {self._max_processes} process names"
            )
        if self._dropped_threads:
            result.notes.append(
                f"the open calls of {self._dropped_threads} threads were given up:"
                f" more than {MAX_THREADS} threads were inside a call at once"
            )

    def _frames(self, tid: int) -> list[_Frame]:
        """Return the open calls of a thread, outermost first."""
        frames = self._threads.get(tid)
        if frames is None:
            if len(self._threads) >= MAX_THREADS:
                oldest = next(iter(self._threads))
                _abandon(self._threads.pop(oldest), 0)
                self._dropped_threads += 1
            frames = self._threads[tid] = []
        return frames

    def _process(self, comm: str) -> _Process:
        process = self._processes.get(comm)
        if process is None:
            if len(self._processes) >= self._max_processes:
                comm = OTHER
            process = self._processes.setdefault(comm, _Process(_Node("")))
        return process

    def _call(self, frames: list[_Frame], event: _Line) -> None:
        # The script's own depth says which calls are closed by now, also when their returns were lost.
        while frames and frames[-1].depth >= event.depth:
            _abandon(frames, len(frames) - 1)
        process = self._process(event.comm)
        if process is self._processes.get(OTHER):
            self._folded_calls += 1
        above = frames[-1] if frames and frames[-1].process is process else None
        node = self._child(above.node if above else process.root, event.function)
        node.count += 1
        frames.append(_Frame(node, process, event.function, event.depth, event.us))
        if len(frames) > MAX_DEPTH:
            _abandon(frames, MAX_DEPTH)

    def _return(self, frames: list[_Frame], event: _Line) -> None:
        place = _matching(frames, event)
        if place is None:
            self._process(event.comm).orphan_returns += 1
            return
        _abandon(frames, place + 1)
        frame = frames.pop()
        # The clocks of two processors may differ by a little, and a thread may move between them.
        total = max(0, event.us - frame.start_us)
        above = frames[-1] if frames else None
        frame.node.self_us += max(0, total - frame.children_us)
        if above is not None and above.process is frame.process:
            above.children_us += total
            if above.node is frame.node:
                return  # folded into its own caller: the caller's total holds this time already
        frame.node.total_us += total

    def _child(self, parent: _Node, function: str) -> _Node:
        child = parent.children.get(function)
        if child is not None:
            return child
        if self._nodes >= self._max_nodes or parent.function == OTHER:
            self._folded_calls += 1
            if parent.function == OTHER:
                return parent
            return parent.children.setdefault(OTHER, _Node(OTHER))
        self._nodes += 1
        child = parent.children[function] = _Node(function)
        return child

    def _trees(self) -> Iterator[CallTree]:
        """Yield the call trees, slowest process first, slowest child first; by name where times are equal."""

        def spent(item: tuple[str, _Process]) -> tuple[int, str]:
            return -sum(node.total_us for node in item[1].root.children.values()), item[0]

        for comm, process in sorted(self._processes.items(), key=spent):
            nodes = tuple(_flatten(process.root))
            yield CallTree(comm, nodes, process.unfinished, process.orphan_returns)


def _parse(line: bytes) -> _Line:
    match = _BARE.fullmatch(line)
    if match is None or _comm(match.group(2)) is None:
        match = _WITH_ARGUMENTS.fullmatch(line)
    comm = _comm(match.group(2)) if match else None
    if match is None or comm is None:
        raise LineError("not a line of a call trace")
    us, _unused, tid, indent, arrow, function = match.groups()
    return _Line(int(us), comm, int(tid), len(indent), arrow == b"->", plain(function))


@lru_cache(maxsize=4096)
def _comm(printed: bytes) -> str | None:
    """Return the process name, or None if it is longer than the kernel allows."""
    comm = unescape(printed)
    return plain(comm) if len(comm) <= _COMM_BYTES else None


def _matching(frames: list[_Frame], event: _Line) -> int | None:
    """Return the position of the open call that this return ends (the innermost of its name or depth), or None."""
    # Built without debug information, some kernels give a return probe's address instead of its name.
    nameless = _ADDRESS.fullmatch(event.function) is not None
    for place in range(len(frames) - 1, -1, -1):
        frame = frames[place]
        if (nameless and frame.depth == event.depth) or (not nameless and frame.function == event.function):
            return place
    return None


def _abandon(frames: list[_Frame], keep: int) -> None:
    """Close all calls but the outermost `keep` as unfinished."""
    for frame in frames[keep:]:
        frame.node.unfinished += 1
        frame.process.unfinished += 1
    del frames[keep:]


def _flatten(root: _Node) -> Iterator[CallNode]:
    """Yield parents before children, without recursion: a trace can be deeper than Python's stack allows."""
    pending = _children((), root)
    while pending:
        path, node = pending.pop()
        yield CallNode(path, node.count, node.total_us, node.self_us, node.unfinished)
        pending.extend(_children(path, node))


def _children(path: tuple[str, ...], node: _Node) -> list[tuple[tuple[str, ...], _Node]]:
    """Return the children with their paths in reverse order of display, ready to be pushed on a stack."""
    children = node.children.values()
    ordered = sorted(children, key=lambda child: (-child.total_us, -child.count, child.function))
    return [((*path, child.function), child) for child in reversed(ordered)]
