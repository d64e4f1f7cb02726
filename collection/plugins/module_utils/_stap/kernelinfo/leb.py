# SPDX-License-Identifier: GPL-3.0-or-later
"""Write numbers as DWARF does, in groups of seven bits (LEB128)."""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=1 << 16)
def unsigned(number: int) -> bytes:
    """Return an unsigned LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


@functools.lru_cache(maxsize=1 << 16)
def signed(number: int) -> bytes:
    """Return a signed LEB128."""
    out = bytearray()
    while not -0x40 <= number < 0x40:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number & 0x7F)
    return bytes(out)
