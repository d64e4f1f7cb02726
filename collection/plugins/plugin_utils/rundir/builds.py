# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds/<kernel>.json says of the modules of one kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.untrusted import (
    exact,
    listing,
    mapping,
    number,
    text,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

FAILED = "failed"


@dataclass(frozen=True)
class ModuleBuild:
    """One module. status: built, cached or failed. seconds: of compiling, None for one that was kept from before.

    error, line: SystemTap's message and where in the script; said: the message, where `error` explains it instead.
    builder, stap: who compiled it. types: "btf" for one that was compiled with debuginfo made of the kernel's own types
    by the tool `maker`, which probes these functions. small: those of them that compilers like to put inline, as they
    have few bytes or nobody knows how many. of_modules: those that are not of the kernel itself but of its modules.
    programs: what it probes of the hosts' programs, by path.
    """

    status: str = ""
    sha256: str = ""
    bytes: float = 0
    seconds: float | None = None
    error: str = ""
    line: float | None = None
    said: str = ""
    builder: str = ""
    stap: str = ""
    types: str = ""
    functions: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    of_modules: tuple[str, ...] = ()
    maker: str = ""
    programs: Mapping[str, ProgramFile] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModuleBuild:
        """Return the module that an entry of builds/<kernel>.json holds."""
        programs = mapping(data, "programs")
        return cls(
            status=text(data, "status"),
            sha256=text(data, "sha256"),
            bytes=number(data, "bytes") or 0,
            seconds=number(data, "seconds"),
            error=text(data, "error"),
            line=number(data, "line"),
            said=text(data, "said"),
            builder=text(data, "builder"),
            stap=text(data, "stap"),
            types=text(data, "types"),
            functions=_names(data, "functions"),
            small=_names(data, "small"),
            of_modules=_names(data, "of_modules"),
            maker=text(data, "maker"),
            programs={str(path): ProgramFile.from_json(mapping(programs, path)) for path in programs},
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written: how it was compiled only of one that was compiled in this sweep."""
        known = asdict(self)
        origin = {key: known.pop(key) for key in ("types", "functions", "small", "of_modules", "maker")}
        if self.seconds is None:
            known = {key: value for key, value in known.items() if key not in ("seconds", "line")}
        said = {
            key: value
            for key, value in known.items()
            if value or key not in ("said", "builder", "stap", "programs")
        }
        return {**(origin if self.types else {}), **said}

    @property
    def failed(self) -> bool:
        """Return whether it could not be compiled."""
        return self.status == FAILED

    @property
    def failure(self) -> str:
        """Return SystemTap's message with its line."""
        said = self.error or "SystemTap gave no reason"
        return f"line {self.line:.0f}: {said}" if self.line is not None else said


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(name) for name in listing(data, key))


@dataclass(frozen=True)
class Tried:
    """A builder that left something to another one, and why."""

    builder: str
    reason: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tried:
        """Return the try that an entry of `tried` holds."""
        return cls(text(data, "builder"), text(data, "reason"))


@dataclass(frozen=True)
class KernelBuild:
    """builds/<kernel>.json: the modules of one kernel, by probe.

    builder, stap: who compiled most of them. signer: whose signature they carry. error, remedy: why there is nothing at
    all, and what to do about that. tried: builders that could not make everything, in their order.
    """

    kernel: str = ""
    builder: str = ""
    stap: str = ""
    probes: Mapping[str, ModuleBuild] = field(default_factory=dict)
    error: str = ""
    tried: tuple[Tried, ...] = ()
    remedy: str = ""
    signer: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KernelBuild:
        """Return the record that builds/<kernel>.json holds."""
        modules, tried = mapping(data, "probes"), listing(data, "tried")
        return cls(
            kernel=text(data, "kernel"),
            builder=text(data, "builder"),
            stap=text(data, "stap"),
            probes={str(name): ModuleBuild.from_json(mapping(modules, name)) for name in modules},
            error=text(data, "error"),
            tried=tuple(Tried.from_json(one) for one in tried if isinstance(one, Mapping)),
            remedy=text(data, "remedy"),
            signer=text(data, "signer"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what is written; `tried` and `remedy` only where there is something to say."""
        said = {"tried": [asdict(one) for one in self.tried], "remedy": self.remedy}
        return {
            "kernel": self.kernel,
            "builder": self.builder,
            "stap": self.stap,
            "probes": {name: module.to_json() for name, module in self.probes.items()},
            "error": self.error,
            **{key: value for key, value in said.items() if value},
            "signer": self.signer,
        }

    @property
    def checksums(self) -> dict[str, str]:
        """Return {probe: checksum of its module} of those that were compiled, the smoke module among them."""
        return {name: module.sha256 for name, module in self.probes.items() if module.sha256}


@dataclass(frozen=True)
class ModuleListRecord:
    """manifests/<kernel>.json: the list of modules that a sweep may load, as it was signed, and the signature."""

    text: str = ""
    signature: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModuleListRecord:
        """Return the record that manifests/<kernel>.json holds."""
        return cls(exact(data, "text"), exact(data, "signature"))

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""
        return asdict(self)


def module_list_of(kernel: str) -> str:
    """Return the name of the file with a kernel's signed list of modules."""
    return f"manifests/{kernel}.json"


def file_of(kernel: str) -> str:
    """Return the name of a kernel's file in a run directory."""
    return f"builds/{kernel}.json"


def headline(error: str) -> str:
    """Return the line of a compiler's message that says what is wrong; all of it stands in the probe's section."""
    lines = [line.strip() for line in error.splitlines() if line.strip()] or [""]
    return next((line for line in lines if "error" in line.lower()), lines[0])[:200]
