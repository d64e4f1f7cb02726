# SPDX-License-Identifier: GPL-3.0-or-later
"""Say where a function's parameters are at its entry on arm64 (AAPCS64).

Eight words come in x0 to x7. What is larger than two words comes as the address of a copy; what does not fit into the
registers that are left comes on the stack, and so does all after it. Room for a result is in x8, which is no parameter.
"""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.convention import (
    NOWHERE,
    OP_DEREF,
    WORD,
    has_float,
    in_memory,
    in_registers,
    is_aggregate,
    named,
    rounded_up,
)

REGISTERS = 8  # x0 to x7, which are 0 to 7 in DWARF's numbers
STACK = 31  # sp
MAX_FLOATS = 64  # bytes of the largest structure that floating-point registers take


def locations(btf: Btf, prototype: int) -> list[bytes]:
    """Return one DWARF expression for each named parameter of a prototype, NOWHERE for one that is not certain."""
    used = stack = 0
    found: list[bytes] = []
    parameters = named(btf, prototype)
    for parameter in parameters:
        size, alignment = btf.size(parameter), max(WORD, btf.alignment(parameter))
        if not size or has_float(btf, parameter, MAX_FLOATS):
            # Where a float or something of no size is, and what comes after it, is not for this function to say.
            return found + [NOWHERE] * (len(parameters) - len(found))
        by_address = is_aggregate(btf, parameter) and size > 2 * WORD
        if by_address:
            size, alignment = WORD, WORD
        words = -(-size // WORD)
        first = rounded_up(used, alignment // WORD)
        if first + words <= REGISTERS:
            used = first + words
            found.append(in_memory(first, 0) if by_address else in_registers(range(first, used), size))
            continue
        used = REGISTERS
        stack = rounded_up(stack, alignment)
        found.append(in_memory(STACK, stack) + (bytes([OP_DEREF]) if by_address else b""))
        stack += words * WORD
    return found
