# SPDX-License-Identifier: GPL-3.0-or-later
"""Make programs that do not exist, with a build id, symbols and marks, for tests of what hosts hand over."""

from __future__ import annotations

import struct

from kernelinfo_maker import BUILD_ID, notes

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import Section, Segment

LOADER = b"/lib64/ld-linux-x86-64.so.2\0"
INTERPRETER = 3
LIBRARY = 3


def mark(name: bytes = b"start", arguments: bytes = b"4@%eax") -> bytes:
    """Return the note of one mark of the provider `app`."""
    text = bytes(24) + b"app\0" + name + b"\0" + arguments + b"\0"
    return struct.pack("<III", 8, len(text), 3) + b"stapsdt\0" + text + bytes(-len(text) % 4)


def program(
    *, build_id: bytes = BUILD_ID, names: bytes = b"\0main\0", marks: bytes = b"", kind: int = LIBRARY
) -> bytes:
    """Return the file of a program that names a loader."""
    sections = [
        Section(".note.gnu.build-id", elf.NOTE, flags=elf.ALLOC, data=notes(build_id), alignment=4),
        Section(".interp", elf.PROGBITS, flags=elf.ALLOC, data=LOADER),
        Section(".dynstr", elf.STRTAB, flags=elf.ALLOC, data=names),
        Section(".note.stapsdt", elf.NOTE, data=marks, alignment=4),
    ]
    return elf.write_elf(kind, sections, [Segment(INTERPRETER, 4, 2), Segment(elf.NOTES, 4, 1)])
