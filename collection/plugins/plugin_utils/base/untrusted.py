# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door for what a host says: names, numbers and times are read by these rules or not at all.

A host may be in anybody's hands. What it says its kernel is called becomes a word in a builder's shell, a path and the
name of a file here, so each of these has a rule, and what does not fit is refused in one sentence. Records that were
stored (preflight.json, the memory of a host) pass the same rules when they are read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

YEAR_S = 366 * 86400.0
MAX_TEXT = 1000
MAX_CRASHED = 64
MAX_HELD = 10_000
"""Modules that a host may say it holds; guard.sh removes the oldest long before."""


@dataclass(frozen=True)
class Rule:
    """How a name must look; `what` it is completes "is not ..."."""

    what: str
    pattern: re.Pattern[str]

    def fits(self, value: object) -> bool:
        """Return whether `value` is such a name."""
        return isinstance(value, str) and self.pattern.fullmatch(value) is not None

    def check(self, value: object, where: str) -> str:
        """Return the name, or raise a FleetdiagError that says where it stands."""
        if not self.fits(value):
            raise FleetdiagError(
                f"{where} {printable(str(value))[:100]!r}, which is not {self.what}; nothing is done with it: look"
                " what answers so, then sweep again"
            )
        return str(value)


KERNEL = Rule(
    "the name of a kernel release", re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}", re.ASCII)
)
MACHINE = Rule("the name of a machine", re.compile(r"[a-z0-9_]{0,20}"))
BUILD_ID = Rule("the build id of a kernel", re.compile(r"([0-9a-f]{8,128})?"))
VERSION = Rule("a version", re.compile(r"([0-9][0-9.]{0,29})?"))
BOOT_ID = Rule("the id of a boot", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"))
PROBE = Rule("the name of a probe", re.compile(r"[a-z][a-z0-9_]{0,59}"))
SWEEP = Rule("the id of a sweep", re.compile(r"[0-9]{8}_[0-9]{6}_[0-9a-f]{4}"))
MODULE = Rule("the name of a loaded module", re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"))
SHA256 = Rule("a checksum", re.compile(r"[0-9a-f]{64}"))
SIGNER = Rule("the checksum of a certificate", re.compile(r"([0-9a-f]{64})?"))
ADDRESS = Rule("an address", re.compile(r"[0-9a-fA-F:.]{2,45}"))

REQUIRED = {"kernel": KERNEL, "kernel_build_id": BUILD_ID, "staprun": VERSION, "boot_id": BOOT_ID}
"""What every sweep step relies on. A build id and a staprun may be empty: not every host has them."""
WORDS = (
    *("uid", "arch", "addresses", "distribution", "free_mb", "mem_available_mb", "load1", "cpus", "lockdown"),
    *(
        "btf",
        "sig_enforce",
        "modules_disabled",
        "fips",
        "container",
        "systemd",
        "init",
        "modules_held",
        "crashed",
    ),
)
"""What else guard.sh says in a preflight; anything more is not taken."""

_WHOLE = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{0,15})?")


def whole(word: object) -> int | None:
    """Read a decimal number of at most 15 digits."""
    return int(word) if isinstance(word, str) and _WHOLE.fullmatch(word) else None


def decimal(word: object) -> float | None:
    """Read a decimal number with or without a fraction; no exponent, no infinity."""
    return float(word) if isinstance(word, str) and _DECIMAL.fullmatch(word) else None


def moment(word: object, now: float) -> float | None:
    """Read a time in seconds since 1970 that is within a year of `now`."""
    time = decimal(word)
    return time if time is not None and abs(time - now) <= YEAR_S else None


def seconds(value: object, most: float = YEAR_S) -> float | None:
    """Take a stored duration, if it is one: a finite number of 0 to `most` seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= most else None


def pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield key and value of lines `key=value`, control characters made visible."""
    for line in lines:
        key, found, value = line.partition("=")
        if found:
            yield key, printable(value.strip())


def lines(text: str) -> list[str]:
    """Split an answer where guard.sh ends a line, and nowhere else: names may hold what Unicode calls a line end."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def facts(said: Mapping[str, str], host: str) -> dict[str, str]:
    """Return what a host said in a preflight: all that a sweep relies on, and nothing that guard.sh does not say."""
    if wrong := unfit(said):
        raise FleetdiagError(
            f"{host}: {wrong}; it is not probed: look what answers so there, then sweep again"
        )
    taken = {key: value[:MAX_TEXT] for key in WORDS if isinstance(value := said.get(key), str)}
    for key, rule, most in (("addresses", ADDRESS, 64), ("modules_held", SHA256, MAX_HELD)):
        words = [word for word in str(said.get(key, "")).split() if rule.fits(word)]
        taken[key] = " ".join(words[:most])
    return {**taken, **{key: said[key] for key in REQUIRED}}


def unfit(said: Mapping[str, object]) -> str:
    """Return what keeps facts, just said or stored, from being used: the first key that lacks or breaks its rule."""
    for key, rule in REQUIRED.items():
        if key not in said:
            return f"its answer to preflight lacks {key}"
        if not rule.fits(said[key]):
            return f"it says {key}={printable(str(said[key]))[:100]!r}, which is not {rule.what}"
    return ""


def offset(clock: object) -> tuple[float, float] | None:
    """Return offset and error of a stored clock; None unless both are finite and within a year."""
    if not isinstance(clock, Mapping):
        return None
    found = []
    for key in ("offset_s", "error_s"):
        value = clock.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= YEAR_S:
            return None
        found.append(float(value))
    return (found[0], found[1]) if found[1] >= 0 else None


def crashed(entries: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Return {probe: sweep id} of the probes with which a host went down; entries of another form are left out."""
    fit = {str(probe): str(sweep) for probe, sweep in entries if PROBE.fits(probe) and SWEEP.fits(sweep)}
    return dict(list(fit.items())[:MAX_CRASHED])


def residue(name: str) -> str:
    """Return the name of a module that is still loaded, safe to paste behind `staprun -d`."""
    return name if MODULE.fits(name) else "a module whose name cannot be read (see lsmod)"


MAX_NUMBER = 2**53
"""Beyond this a float skips whole numbers; no time, size or count of a run directory is as large."""


def text(data: Mapping[str, Any], key: str) -> str:
    """Return the text under `key` without blanks around it, or "" if it is no text."""
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def exact(data: Mapping[str, Any], key: str) -> str:
    """Return a text with the spaces around it, which are part of it, or "" where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def number(data: Mapping[str, Any], key: str) -> float | None:
    """Return the number under `key`, or None, see `finite`."""
    return finite(data.get(key))


def finite(value: object) -> float | None:
    """Return a number to reckon with, or None: finite, and small enough that a float holds it exactly."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if abs(value) < MAX_NUMBER else None  # NaN is not below it either


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under `key`, or an empty one."""
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def listing(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    """Return a list, or an empty one."""
    value = data.get(key)
    return value if isinstance(value, list) else []
