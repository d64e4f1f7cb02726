# SPDX-License-Identifier: GPL-3.0-or-later
"""What window.json says: one window for all hosts, or one for each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import listing, number, text

FILE = "window.json"


@dataclass(frozen=True)
class WindowRecord:
    """A window by the controller's clock, in epoch seconds; None for what is not known.

    began: when its hosts were asked to arm, among: how many of them there were.
    """

    start: float | None = None
    end: float | None = None
    began: float | None = None
    among: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WindowRecord:
        """Return the window that an object holds."""
        return WindowRecord(**_window(data))

    def to_json(self) -> dict[str, Any]:
        """Return what is written: what is known."""
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}


_NAMES = ("start", "end", "began", "among")


@dataclass(frozen=True)
class BatchRecord(WindowRecord):
    """Hosts that share a window, which they may not have yet. canary: the others wait for what becomes of them."""

    hosts: tuple[str, ...] = ()
    canary: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BatchRecord:
        """Return the batch that an entry of `batches` holds."""
        hosts = tuple(str(host) for host in listing(data, "hosts"))
        return BatchRecord(**_window(data), hosts=hosts, canary=data.get("canary") is True)

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""
        return {"hosts": list(self.hosts), "canary": self.canary, **super().to_json()}

    @property
    def had_window(self) -> bool:
        """Return whether its hosts were to sample at some time."""
        return self.start is not None


@dataclass(frozen=True)
class WindowFile(WindowRecord):
    """window.json. batches: in their order, None if all hosts share the one window; it then reaches over all of them.

    stopped: why later batches were not probed. damaged: there is an end that is no number.
    """

    batches: tuple[BatchRecord, ...] | None = None
    stopped: str = ""
    damaged: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WindowFile:
        """Return the record that window.json holds."""
        listed = [BatchRecord.from_json(one) for one in listing(data, "batches") if isinstance(one, Mapping)]
        return WindowFile(
            **_window(data),
            batches=tuple(listed) if "batches" in data else None,
            stopped=text(data, "stopped"),
            damaged="end" in data and number(data, "end") is None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""
        batches = {} if self.batches is None else {"batches": [batch.to_json() for batch in self.batches]}
        return {**batches, **super().to_json(), **({"stopped": self.stopped} if self.stopped else {})}

    def of_host(self, host: str) -> WindowRecord | None:
        """Return the window of this host, None if it has none."""
        if self.batches is None:
            return self
        own = next((batch for batch in self.batches if host in batch.hosts), BatchRecord())
        return own if own.had_window else None

    def part(self, number_of_batch: int, hosts: Sequence[str]) -> tuple[Sequence[str], WindowRecord | None]:
        """Return hosts and window of one batch, from 1; with 0, of a sweep without batches, all hosts and its window."""
        if not number_of_batch:
            return hosts, self
        own = self.batch(number_of_batch)
        return own.hosts, own if own.had_window else None

    def batch(self, number_of_batch: int) -> BatchRecord:
        """Return one batch, counted from 1."""
        return (self.batches or ())[number_of_batch - 1]

    def opened(self, number_of_batch: int, window: WindowRecord) -> WindowFile:
        """Return the same with the window of one batch, counted from 1."""
        batches = list(self.batches or ())
        batches[number_of_batch - 1] = replace(self.batch(number_of_batch), **vars(window))
        starts = [batch.start for batch in batches if batch.start is not None]
        ends = [batch.end for batch in batches if batch.end is not None]
        return replace(self, batches=tuple(batches), start=min(starts), end=max(ends))

    @property
    def reached(self) -> int:
        """Return how many batches had a window; 0 without batches."""
        return sum(batch.had_window for batch in self.batches or ())

    def why_not(self, host: str) -> str:
        """Return why the batch of this host was never probed, where an earlier one had trouble; else empty."""
        waiting = any(host in batch.hosts and not batch.had_window for batch in self.batches or ())
        return self.stopped if waiting else ""


def window_of(data: Mapping[str, Any] | None, host: str) -> Mapping[str, Any] | None:
    """Return the window of this host in window.json as it was parsed, None if it has none."""
    if not data or "batches" not in data:
        return data or None
    own = WindowFile.from_json(data).of_host(host)
    return own.to_json() if own else None


def _window(data: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: number(data, name) for name in _NAMES}
