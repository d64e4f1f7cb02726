# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of `stap` on the first line of a script: `#!/usr/bin/stap -DMAXMAPENTRIES=10240 --suppress-handler-errors`.

What is harmless is honoured; of everything else one sentence says why it is not. Nothing is dropped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

LIMITS: Mapping[str, int] = {
    "MAXACTION": 100_000,
    "MAXACTION_INTERRUPTIBLE": 1_000_000,
    "MAXBACKTRACE": 128,
    "MAXERRORS": 10_000,
    "MAXMAPENTRIES": 1_000_000,
    "MAXNESTING": 100,
    "MAXSKIPPED": 100_000,
    "MAXSTRINGLEN": 8192,
    "MAXTRYLOCK": 100_000,
    "KRETACTIVE": 10_000,
    "TRYLOCKDELAY": 1_000,
}
"""Limits of SystemTap that a script may set, each with the most it may ask for."""

_NO_LIMIT = re.compile(r"STP_NO_OVERLOAD|STP_OVERLOAD_\w+|STP_MAXMEMORY|STAP_SUPPRESS_TIME_LIMITS\w*")
_HONOURED = re.compile(
    r"--(suppress-handler-errors|ldd|all-modules|skip-badvars|prologue-searching(=\w+)?|compatible=[0-9.]+)|-u"
)
_SHOWN_ONLY = re.compile(r"-[vwktm]|--vp=?[0-9]+|--(disable|poison)-cache|--colou?r=?\w*")
"""What only changes what stap itself says, so that there is nothing to honour."""
_FILE = re.compile(r"[A-Za-z0-9_./+-]{1,200}")
_WITH_VALUE = "dDIGoxcmrRsSpeBaFTElL"

_REFUSED: Mapping[str, tuple[str, str]] = {
    "-g": ("asks for guru mode (-g)", "it is never given: use a script that does without"),
    "-o": ("writes into a file on the host (-o)", "take it out: the output is in the run directory"),
    "-x": (
        "names a process (-x)",
        "take it out, and name the process with the parameter target or the host's variable sweep_target",
    ),
    "-c": ("starts a command (-c)", "take it out: fleetdiag runs nothing but probes on a host"),
    "-G": ("sets a global of the script (-G)", "take it out, and give the global as a parameter"),
    "-I": ("takes functions from another folder (-I)", "take it out, and write them into the script"),
    "-s": ("sets the size of the buffer (-s)", "take it out: it is chosen for all sessions of a host"),
    "--suppress-time-limits": (
        "switches off the limits of time (--suppress-time-limits)",
        "take it out: they are kept on every host; -DMAXACTION=N allows longer handlers",
    ),
    "--runtime": ("is for another runtime (--runtime)", "take it out: fleetdiag runs kernel modules"),
    "--bpf": ("is for the BPF runtime (--bpf)", "take it out: fleetdiag runs kernel modules"),
    "--dyninst": ("is for the Dyninst runtime (--dyninst)", "take it out: fleetdiag runs kernel modules"),
}
_ALSO = {"--guru": "-g", "--bpf": "--bpf", "--runtime": "--runtime", "--dyninst": "--dyninst"}


@dataclass
class FirstLine:
    """flags: options that are handed to the compiler. faults: (what is wrong, what to do) of all others."""

    flags: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)


def options_of(text: str) -> FirstLine:
    """Return the options of stap on a script's first line; nothing of a script that begins otherwise."""
    result = FirstLine()
    words = _words(text)
    for option, value in _options(words):
        _sort_out(option, value, result)
    return result


def _words(text: str) -> Sequence[str]:
    """Return what stands behind `stap` on a `#!` line."""
    first = text.split("\n", 1)[0]
    if not first.startswith("#!"):
        return ()
    try:
        words = shlex.split(first[2:])
    except ValueError:
        words = first[2:].split()
    at = next((at for at, word in enumerate(words) if word.rsplit("/", 1)[-1] == "stap"), len(words))
    return words[at + 1 :]


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (option, value); letters behind one dash are an option each, up to one that takes a value."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") or not word.startswith("-") or word == "-":
            yield word, ""
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            value = ""
            if letter in _WITH_VALUE:
                value = letters or (rest.pop(0) if rest else "")
                letters = ""
            yield f"-{letter}", value


def _sort_out(option: str, value: str, result: FirstLine) -> None:
    known = _REFUSED.get(_ALSO.get(option.partition("=")[0], option))
    if known is not None:
        result.faults.append(known)
    elif option == "-D":
        _limit(value, result)
    elif option == "-d" and _FILE.fullmatch(value):
        result.flags += ["-d", value]
    elif _HONOURED.fullmatch(option):
        result.flags.append(option)
    elif not _SHOWN_ONLY.fullmatch(option):
        shown = printable(" ".join(filter(None, (option, value))))[:60]
        result.faults.append((f"asks for an option of stap that is not passed on ({shown})", "take it out"))


def _limit(value: str, result: FirstLine) -> None:
    name, _unused, number = value.partition("=")
    shown = printable(value)[:60]
    if _NO_LIMIT.fullmatch(name):
        result.faults.append(
            (f"changes what a script may cost (-D{shown})", "take it out: that limit is kept on every host")
        )
    elif name not in LIMITS:
        result.faults.append((f"defines something that fleetdiag does not know (-D{shown})", "take it out"))
    elif not re.fullmatch(r"[0-9]{1,9}", number) or not 0 <= int(number) <= LIMITS[name]:
        result.faults.append(
            (f"sets a limit out of range (-D{shown})", f"give a number of at most {LIMITS[name]}")
        )
    else:
        result.flags.append(f"-D{name}={int(number)}")


def with_limits(flags: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return options of the compiler in which those of the script replace the same limits, others come behind."""
    names = {flag.partition("=")[0] for flag in own if flag.startswith("-D")}
    return [*(flag for flag in flags if flag.partition("=")[0] not in names), *own]
