# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the functions that a kernel's file has, give them parameters where these are certain, and write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import dwarf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.dwarf import WORD, Info
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.leb import unsigned
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.registers import locations

# What compilers add to the name of a function that they made of another one, with other parameters or a part of it.
CLONE = re.compile(r"\.(isra|constprop|part|cold|llvm|lto_priv)\b.*$")
FRAGMENT = re.compile(r"\.(part|cold)\b")
MAX_PARAMETERS = 32  # of a function; no kernel has one with more
NOT_IN_BTF = "not in BTF"


class Function(NamedTuple):
    """Hold one function; `prototype` is 0 where its parameters are not certain. `owner` is a symbol's number."""

    address: int
    size: int
    name: str
    prototype: int
    is_global: bool
    owner: int = 0


class Found(NamedTuple):
    """Hold a function's symbol, as kallsyms or the table of a module file has it."""

    address: int
    size: int
    name: str
    is_global: bool
    owner: int = 0


@dataclass
class Choice:
    """Hold the chosen functions, and how many there are of which kind."""

    functions: list[Function] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def prototypes(btf: Btf) -> dict[str, int]:
    """Return the prototype of each function, 0 where BTF has several that differ."""
    found: dict[str, int] = {}
    for number in range(btf.first, len(btf)):
        if btf.kinds[number] != kinds.FUNC:
            continue
        prototype = btf.values[number]
        if btf.kinds[prototype] != kinds.FUNC_PROTO:
            raise KernelInfoError(f"the kernel's BTF is damaged: function {number} has no prototype")
        name = btf.name(number)
        found[name] = prototype if found.get(name, prototype) == prototype else 0
    return found


def choose(
    known: dict[str, int],
    symbols: Iterable[Found],
    refused: frozenset[str] = frozenset(),
    untyped: bool = False,
) -> Choice:
    """Return the functions to offer, of `symbols`.

    known: their prototypes. refused: cannot be probed. untyped: offer those that BTF does not know, too; of the kernel
    itself these are pieces of assembler.
    """
    by_name: dict[str, list[Found]] = {}
    for symbol in symbols:
        if symbol.name not in refused:
            by_name.setdefault(symbol.name, []).append(symbol)
    choice = Choice()
    for name, places in by_name.items():
        label, kind, prototype = _judge(name, len(places), known, by_name)
        if kind == NOT_IN_BTF and not untyped:
            label = ""
        choice.counts[kind] += len(places)
        if label:
            choice.functions += [
                Function(p.address, p.size, label, prototype, p.is_global, p.owner) for p in places
            ]
    choice.functions.sort()
    return choice


def _judge(
    name: str, places: int, known: dict[str, int], present: dict[str, list[Found]]
) -> tuple[str, str, int]:
    """Return (name to offer or "", what it is, prototype or 0) for a name that stands at `places` addresses."""
    clone = CLONE.search(name)
    plain = name[: clone.start()] if clone else name
    if FRAGMENT.search(name):
        return "", "fragment of a function", 0
    if clone:
        # The plain function keeps its name for itself: a script that uses its parameters would else not compile.
        return (name, "clone beside its function", 0) if plain in present else (plain, "clone", 0)
    if name not in known:
        return name, NOT_IN_BTF, 0
    if places > 1 or not known[name]:
        return name, "several of this name", 0
    return name, "with parameters", known[name]


def write_function(
    info: Info, btf: Btf, function: Function, address: bytes, machine: int, file: int = 1
) -> None:
    """Write the entry of one function, with its parameters where it has a prototype.

    machine: ELF's number of it, whose calling convention says where they are. file: number of its source file.
    """
    prototype = function.prototype
    if prototype and len(btf.parts[prototype]) > 2 * MAX_PARAMETERS:
        prototype = 0
    parameters = btf.parts[prototype]
    result = btf.untagged(btf.values[prototype]) if prototype else 0
    attributes = [dwarf.NAME, dwarf.LOW_PC, dwarf.HIGH_PC, dwarf.DECL_FILE]
    if function.is_global:
        attributes.append(dwarf.EXTERNAL)
    if prototype:
        attributes.append(dwarf.PROTOTYPED)
    if result:
        attributes.append(dwarf.TYPE_THERE)
    info.out += info.code(dwarf.SUBPROGRAM, bool(parameters), *attributes)
    info.out += WORD(info.string(function.name))
    info.relocate(function.owner)
    info.out += address + WORD(function.size) + unsigned(file)
    if result:
        info.refer(result)
    if parameters:
        _write_parameters(info, btf, prototype, machine)
    info.check_size()


def _write_parameters(info: Info, btf: Btf, prototype: int, machine: int) -> None:
    parameters = btf.parts[prototype]
    places = locations(btf, prototype, machine)
    for at in range(0, len(parameters), 2):
        name, number = parameters[at], parameters[at + 1]
        if not number:
            info.out += info.code(dwarf.UNSPECIFIED, False)
            break
        place = places[at // 2]
        with_place = (dwarf.LOCATION,) if place else ()
        info.out += info.code(dwarf.PARAMETER, False, dwarf.NAME, dwarf.TYPE_THERE, *with_place) + WORD(name)
        info.refer(btf.untagged(number))
        if place:
            info.out += bytes([len(place)]) + place
    info.out.append(0)
