# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the debuginfo that a builder made of a kernel with the distribution's: runs on the builder, with drgn.

    python3 compare.py MADE REAL BTF >differences.json

MADE, REAL: files with DWARF (vmlinux). BTF: a file that carries the kernel's section .BTF, which names what is compared:
each structure, union and function. Printed are how many were compared, how many differences have which known reason, and
`differences`: [[name, what differs, made, real]] of the rest.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import drgn
from _drgn import BadDataError

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf, read_btf

WORDS = {kinds.STRUCT: "struct", kinds.UNION: "union"}
ARRAY = re.compile(r"((?: ?\[\d*\])+)$")
FUNCTION = 2  # type of a symbol
Told = dict[str, Any]


def main() -> None:
    made, real = program(sys.argv[1]), program(sys.argv[2])
    at = addresses(Path(sys.argv[2]).read_bytes())
    btf = read_btf(elf.btf_section(Path(sys.argv[3]).read_bytes()))
    types, functions = names(btf)
    own = for_programs(btf)
    counts: Counter[str] = Counter()
    differences = [[name, *found] for name in types for found in of_types(name, made, real, counts)]
    differences += [
        [name, *found] for name in functions for found in of_functions(name, made, real, at, own, counts)
    ]
    print(json.dumps({"counts": counts, "differences": differences}))


def program(path: str) -> drgn.Program:
    """Return a program of which nothing is known but one file."""
    flags = drgn.PlatformFlags.IS_64_BIT | drgn.PlatformFlags.IS_LITTLE_ENDIAN
    found = drgn.Program(drgn.Platform(drgn.Architecture.X86_64, flags))
    module = found.extra_module(path, create=True)
    module = module[0] if isinstance(module, tuple) else module  # since drgn 0.4
    module.try_file(path, force=True)
    return found


def addresses(data: bytes) -> dict[str, set[int]]:
    """Return {function: where the table of symbols has it}."""
    found: dict[str, set[int]] = {}
    sections = elf.read_sections(data)
    for table in (section for section in sections if section.type == elf.SYMTAB):
        texts = sections[table.link].data
        for name, info, _other, _section, value, _size in elf.SYMBOL.iter_unpack(table.data):
            if info & 15 == FUNCTION:
                label = texts[name : texts.index(b"\0", name)].decode()
                found.setdefault(label, set()).add(value)
    return found


def names(btf: Btf) -> tuple[list[str], list[str]]:
    """Return (types, functions) that share their name with no other."""
    types: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for number in range(1, len(btf)):
        if btf.kinds[number] in WORDS and btf.name(number):
            types[f"{WORDS[btf.kinds[number]]} {btf.name(number)}"] += 1
        elif btf.kinds[number] == kinds.FUNC:
            functions[btf.name(number)] += 1
    once = [[name for name, count in counted.items() if count == 1] for counted in (types, functions)]
    return sorted(once[0]), sorted(once[1])


def for_programs(btf: Btf) -> set[str]:
    """Return the functions that BTF marks as such that programs (bpf) may call."""
    marks = [number for number in range(1, len(btf)) if btf.kinds[number] == kinds.DECL_TAG]
    return {btf.name(btf.values[number]) for number in marks if btf.name(number) == "bpf_kfunc"}


def of_types(name: str, made: drgn.Program, real: drgn.Program, counts: Counter[str]) -> Iterator[list[Any]]:
    """Yield [size or member, made, real] where a structure differs for no known reason."""
    here = layout(made.type(name))
    try:
        there = layout(real.type(name))
    except LookupError:
        counts["structures that are declared within functions only, where drgn does not look"] += 1
        return
    counts["structures"] += 1
    counts["members"] += len(there) - 1
    for key in sorted({*here, *there}):
        one, other = here.get(key), there.get(key)
        if one == other:
            continue
        if one and other and one[:2] == other[:2] and flat(one[2]) == flat(other[2]):
            counts["BTF has one dimension where C has several, or none"] += 1
        else:
            yield [key, one, other]


def layout(known: drgn.Type) -> Told:
    """Return {"size": bytes, member: [bits from the start, bits, its type]}, members of unnamed members among them."""
    return {"size": [known.size], **dict(members(known, 0))}


def members(of: drgn.Type, start: int) -> Iterator[tuple[str, list[Any]]]:
    for member in of.members or ():
        at = start + member.bit_offset
        if member.name is None:
            yield from members(member.type, at)
        else:
            yield member.name, [at, member.bit_field_size, spelled(member.type)]


def flat(spelling: str) -> tuple[str, int]:
    """Return the type of an array's elements, and how many it has in all."""
    found = ARRAY.search(spelling)
    sizes = [int(size or 0) for size in re.findall(r"\[(\d*)\]", found[1])] if found else [1]
    return (spelling[: found.start()] if found else spelling).rstrip(), prod(sizes)


def of_functions(
    name: str,
    made: drgn.Program,
    real: drgn.Program,
    at: dict[str, set[int]],
    own: set[str],
    counts: Counter[str],
) -> Iterator[list[Any]]:
    """Yield ["address" or "prototype", made, real] where a function differs for no known reason.

    own: functions that the kernel calls for programs (bpf), with more parameters than these give.
    """
    here = function(made, name)
    if here is None:
        counts["functions left out, as kprobes may not be there or BTF alone knows them"] += 1
        return
    address, result, parameters = here
    if address not in at.get(name, ()) and not any(address in at[one] for one in clones(name, at)):
        yield ["address", address, sorted(at.get(name, ()))]
    if (result, parameters) == ("void", []):
        counts["functions whose parameters are not certain, or that have none"] += 1
        return
    there = function(real, name)
    counts["functions"] += 1
    if there is None:
        counts["of assembler, of which the distribution's has no prototype"] += 1
    elif result == there[1] and name in own and kinds_of(there[2][: len(parameters)]) == kinds_of(parameters):
        counts["BTF leaves out the last parameters, which the kernel itself adds for programs (bpf)"] += len(
            there[2]
        ) > len(parameters)
    elif (result, kinds_of(parameters)) != (there[1], kinds_of(there[2])):
        yield ["prototype", [result, parameters], list(there[1:])]
    elif parameters != there[2]:
        counts["names of parameters as another declaration has them (weak functions)"] += 1
    counts["parameters"] += len(parameters)


def kinds_of(parameters: list[list[str]]) -> list[str]:
    """Return the types; whether a parameter itself is constant is the function's own business."""
    return [kind.removesuffix(" const") for _name, kind in parameters]


def clones(name: str, at: dict[str, set[int]]) -> list[str]:
    return [f"{name}{end}" for end in (".isra.0", ".constprop.0", ".constprop.0.isra.0") if name + end in at]


def function(found: drgn.Program, name: str) -> tuple[int | None, str, list[list[str]]] | None:
    """Return (address, what it returns, [name, type] of its parameters) of a function."""
    try:
        known = found.function(name)
    except (LookupError, BadDataError):  # assembler has types that drgn does not read
        return None
    parameters = [[p.name or "", spelled(p.type)] for p in known.type_.parameters]
    return known.address_, spelled(known.type_.type), parameters


def spelled(of: drgn.Type) -> str:
    return str(of.type_name())


if __name__ == "__main__":
    main()
