# SPDX-License-Identifier: GPL-3.0-or-later
"""What sweep.json, the files of a host and events.jsonl say: one dataclass for each, whose fields are its keys.

Files are not trusted. `from_json` takes what has the right type and leaves out the rest, so that a file of an older
version, half a file and an altered one all make a record. `to_json` returns what is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Protocol, Self

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import (
    REQUIRED,
    WORDS,
    exact,
    listing,
    mapping,
    number,
    text,
)

BASELINE = 20
"""Earlier sweeps of the same name that a host's figures are compared with, where a sweep does not say."""


@dataclass(frozen=True)
class ProbeRecord:
    """One probe of sweep.json. manifest: its probe.yml; hash: see series; script: its text if it is in no catalog.

    nonce: what begins each line it prints that is meant for fleetdiag.
    """

    name: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    nonce: str = ""
    hash: str = ""
    script: str | None = None

    @classmethod
    def from_json(cls, data: object) -> ProbeRecord:
        """Return the probe that an entry of sweep.json holds; what is no entry is one without a name."""
        entry = data if isinstance(data, Mapping) else {}
        return cls(
            name=text(entry, "name"),
            manifest=mapping(entry, "manifest"),
            parameters=mapping(entry, "parameters"),
            nonce=text(entry, "nonce"),
            hash=text(entry, "hash"),
            script=exact(entry, "script") if "script" in entry else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; `script` only where there is one."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class SweepRecord:
    """sweep.json: what was asked. window_s: seconds; peers: {host: set of hosts it should be like}; by: user@machine.

    builders: None where it is not known. overload_percent: 0 for what each probe's manifest says. baseline: earlier
    sweeps to compare with, 0 for none. slot: moment of its schedule. memory: see memory.settings. catalogs: folders.
    check_mode: it was only asked. groups: what sweeps had before there were `peers`, {group: hosts}.
    """

    id: str = ""
    created: str = ""
    fleetdiag: str = ""
    window_s: float = 0.0
    hosts: tuple[str, ...] = ()
    peers: Mapping[str, Any] | None = None
    probes: tuple[ProbeRecord, ...] = ()
    series: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    builders: tuple[str, ...] | None = None
    overload_percent: int = 0
    redact: bool = True
    retry_crashed: bool = False
    check_mode: bool = False
    baseline: int = BASELINE
    name: str = ""
    slot: str = ""
    trigger: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)
    catalogs: tuple[str, ...] = ()
    groups: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SweepRecord:
        """Return the record that sweep.json holds."""
        builders = data.get("builders")
        return cls(
            id=text(data, "id"),
            created=text(data, "created"),
            fleetdiag=text(data, "fleetdiag"),
            window_s=max(0.0, number(data, "window_s") or 0.0),
            hosts=tuple(dict.fromkeys(host for host in listing(data, "hosts") if isinstance(host, str))),
            peers=mapping(data, "peers") if isinstance(data.get("peers"), Mapping) else None,
            probes=tuple(ProbeRecord.from_json(entry) for entry in listing(data, "probes")),
            series=text(data, "series"),
            conditions=mapping(data, "conditions"),
            by=text(data, "by"),
            builders=tuple(str(name) for name in builders) if isinstance(builders, list) else None,
            overload_percent=_whole(data, "overload_percent", 0),
            redact=data.get("redact", True) is not False,
            retry_crashed=data.get("retry_crashed") is True,
            check_mode=data.get("check_mode") is True,
            baseline=max(0, _whole(data, "baseline", BASELINE)),
            name=text(data, "name"),
            slot=text(data, "slot"),
            trigger=text(data, "trigger"),
            memory=mapping(data, "memory"),
            catalogs=tuple(str(path) for path in listing(data, "catalogs")),
            groups=mapping(data, "groups") if isinstance(data.get("groups"), Mapping) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written, without what is not known."""
        known = {key: value for key, value in vars(self).items() if value is not None}
        return {**known, "probes": [probe.to_json() for probe in self.probes]}


class HostFile(Protocol):
    """A record that is kept in `hosts/<host>/<PHASE>.json`."""

    PHASE: ClassVar[str]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the record that a file holds."""


class WrittenHostFile(Protocol):
    """A record that is written to `hosts/<host>/<PHASE>.json`."""

    PHASE: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""


@dataclass(frozen=True)
class ClockRecord:
    """How a host's clock goes against the controller's; None for what is not known."""

    offset_s: float | None = None
    error_s: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any], key: str) -> ClockRecord | None:
        """Return the clock that a record has under `key`, or None where there is none."""
        clock = mapping(data, key)
        return cls(number(clock, "offset_s"), number(clock, "error_s")) if clock else None


@dataclass(frozen=True)
class PreflightRecord:
    """preflight.json: what a host can do. remembered: said in an earlier sweep.

    modules_held: checksums of modules that are there. crashed: {probe: sweep} with which it went down. at: when (s).
    signed: whether modules are, where its kernel asks for that. said: other facts, in the host's words.
    """

    PHASE: ClassVar = "preflight"

    host: str = ""
    verdict: str = ""
    reason: str = ""
    remedy: str = ""
    kernel: str = ""
    kernel_build_id: str = ""
    distribution: str = ""
    staprun: str = ""
    boot_id: str = ""
    addresses: tuple[str, ...] = ()
    free_mb: float | None = None
    mem_available_mb: float | None = None
    load1: float | None = None
    cpus: float | None = None
    clock: ClockRecord | None = None
    at: float | None = None
    signed: bool | None = None
    remembered: bool = False
    modules_held: tuple[str, ...] = ()
    crashed: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def machine(self) -> str:
        """Return what `uname -m` says on the host, "" where it did not say."""
        return self.said.get("arch", "")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PreflightRecord:
        """Return the record that preflight.json holds."""
        known = {item.name for item in fields(cls)}
        signed = data.get("signed")
        return cls(
            host=exact(data, "host"),
            verdict=text(data, "verdict"),
            reason=text(data, "reason"),
            remedy=text(data, "remedy"),
            kernel=text(data, "kernel"),
            kernel_build_id=text(data, "kernel_build_id"),
            distribution=text(data, "distribution"),
            staprun=text(data, "staprun"),
            boot_id=text(data, "boot_id"),
            addresses=tuple(item for item in listing(data, "addresses") if isinstance(item, str)),
            free_mb=number(data, "free_mb"),
            mem_available_mb=number(data, "mem_available_mb"),
            load1=number(data, "load1"),
            cpus=number(data, "cpus"),
            clock=ClockRecord.from_json(data, "clock"),
            at=number(data, "at"),
            signed=signed if isinstance(signed, bool) else None,
            remembered=bool(data.get("remembered")),
            modules_held=tuple(str(checksum) for checksum in listing(data, "modules_held")),
            crashed=mapping(data, "crashed"),
            said={word: text(data, word) for word in WORDS if word in data and word not in known},
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written, facts in the order in which a host says them."""
        known = {key: value for key, value in vars(self).items() if value is not None and key != "said"}
        if self.clock:
            known["clock"] = asdict(self.clock)
        if not self.remembered:
            del known["remembered"]
        values = {**self.said, **known, "addresses": list(self.addresses)}
        values["modules_held"] = list(self.modules_held)
        facts = [*(word for word in WORDS if word != "modules_held"), *REQUIRED, "modules_held"]
        order = ["host", *facts, "verdict", "reason", "remedy", "clock", "at", "signed"]
        return {key: values[key] for key in [*order, "remembered"] if key in values}


@dataclass(frozen=True)
class ArmedSession:
    """One session of arm.json. status: armed, started, late or failed; seconds: how long the host waited for it."""

    status: str = ""
    seconds: float | None = None
    error: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ArmedSession:
        """Return the session that an entry of arm.json holds."""
        return cls(text(data, "status"), number(data, "seconds"), text(data, "error"))


@dataclass(frozen=True)
class ArmRecord:
    """arm.json: what was started on a host, by probe. took_s: from the command to its answer; ended: when (epoch s).

    smoke: passed, cached, refused, or empty if it did not come so far. pushed: how many modules were sent. manifest:
    verified, or unverified where the host cannot.
    """

    PHASE: ClassVar = "arm"

    verdict: str = ""
    reason: str = ""
    remedy: str = ""
    sessions: Mapping[str, ArmedSession] = field(default_factory=dict)
    clock: ClockRecord | None = None
    took_s: float | None = None
    ended: float | None = None
    smoke: str = ""
    pushed: int = 0
    manifest: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ArmRecord:
        """Return the record that arm.json holds."""
        return cls(
            verdict=text(data, "verdict"),
            reason=text(data, "reason"),
            remedy=text(data, "remedy"),
            sessions={name: ArmedSession.from_json(item) for name, item in _entries(data, "sessions")},
            clock=ClockRecord.from_json(data, "clock"),
            took_s=number(data, "took_s"),
            ended=number(data, "ended"),
            smoke=text(data, "smoke"),
            pushed=_whole(data, "pushed", 0),
            manifest=text(data, "manifest"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written, without what is not known."""
        known = {key: value for key, value in asdict(self).items() if value is not None}
        return {key: value for key, value in known.items() if value or key != "manifest"}

    @property
    def started(self) -> list[str]:
        """Return the probes whose sessions were started."""
        return [name for name, session in self.sessions.items() if session.status != "failed"]


@dataclass(frozen=True)
class GoRecord:
    """go.json: the window a host was told, in milliseconds of its own clock.

    accepted: by probe, whether its session took it. late_s: seconds after the start; None if told with the arming.
    """

    PHASE: ClassVar = "go"

    start_ms: float | None = None
    end_ms: float | None = None
    accepted: Mapping[str, bool] = field(default_factory=dict)
    late_s: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GoRecord:
        """Return the record that go.json holds."""
        accepted = {str(name): said is True for name, said in mapping(data, "accepted").items()}
        return cls(number(data, "start_ms"), number(data, "end_ms"), accepted, number(data, "late_s"))

    def to_json(self) -> dict[str, Any]:
        """Return what is written, without what is not known."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class CollectedSession:
    """One session of collect.json. result: what systemd says of its end; cpu_s: processor time of its unit.

    out_bytes: of its output, collected_bytes: of that when packed; sha256: of the output. redacted_lines: None if no
    secrets were looked for. truncated: it printed as much as it may.
    """

    result: str = ""
    exit_code: str = ""
    cpu_s: float | None = None
    out_bytes: float | None = None
    collected_bytes: float | None = None
    sha256: str = ""
    redacted_lines: float | None = None
    truncated: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CollectedSession:
        """Return the session that an entry of collect.json holds."""
        return cls(
            result=text(data, "result"),
            exit_code=text(data, "exit_code"),
            cpu_s=number(data, "cpu_s"),
            out_bytes=number(data, "out_bytes"),
            collected_bytes=number(data, "collected_bytes"),
            sha256=text(data, "sha256"),
            redacted_lines=number(data, "redacted_lines"),
            truncated=data.get("truncated") is True,
        )


@dataclass(frozen=True)
class CollectRecord:
    """collect.json: what came back from a host, by probe.

    residue: modules that are still loaded. kernel: what became of its kernel meanwhile, in sentences.
    """

    PHASE: ClassVar = "collect"

    sessions: Mapping[str, CollectedSession] = field(default_factory=dict)
    residue: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CollectRecord:
        """Return the record that collect.json holds."""
        found = mapping(data, "sessions")
        return cls(
            sessions={str(name): CollectedSession.from_json(mapping(found, name)) for name in found},
            residue=tuple(str(name) for name in listing(data, "residue")),
            kernel=tuple(str(said) for said in listing(data, "kernel") if said),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; `kernel` only where it says something."""
        sessions = {name: asdict(session) for name, session in self.sessions.items()}
        told = {"kernel": list(self.kernel)} if self.kernel else {}
        return {"sessions": sessions, "residue": list(self.residue), **told}


@dataclass(frozen=True)
class EventRecord:
    """One line of events.jsonl: what a task came to on a host. t: epoch seconds; delegated_to: the host it ran on."""

    t: float | None
    host: str
    delegated_to: str = ""
    phase: str = ""
    task: str = ""
    status: str = ""
    message: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EventRecord:
        """Return the record of one line."""
        return cls(
            t=number(data, "t"),
            host=exact(data, "host"),
            delegated_to=text(data, "delegated_to"),
            phase=text(data, "phase"),
            task=text(data, "task"),
            status=text(data, "status"),
            message=text(data, "message"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; a task that ran where it belongs is delegated to nobody."""
        return {**asdict(self), "delegated_to": self.delegated_to or None}


def _entries(data: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the entries of an object that are objects with something in them."""
    found = mapping(data, key)
    return [(str(name), item) for name, item in found.items() if isinstance(item, Mapping) and item]


def _whole(data: Mapping[str, Any], key: str, default: int) -> int:
    """Return a whole number, `default` where nothing stands there, and 0 for what is none."""
    value = data.get(key, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
