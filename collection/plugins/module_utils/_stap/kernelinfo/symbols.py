# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a running kernel says of its symbols (/proc/kallsyms) and of its build (/sys/kernel/notes)."""

from __future__ import annotations

import bisect
import re
import struct
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

MAX_BYTES = 64 << 20  # a distribution's kernel with its modules has 10 MB
MAX_SYMBOLS = 1_000_000
MAX_NOTES = 64 << 10
MAX_SPAN = 1 << 30  # bytes between _stext and _end
# The line of a symbol of the kernel itself: one of a module has its name after it. Names stand in SystemTap's C source.
LINE = re.compile(rb"^([0-9a-fA-F]{1,16}) ([A-Za-z?]) ([\w.$]+)$", re.MULTILINE)
NAME = re.compile(rb"[\w.$]+")
TEXT_KINDS = frozenset("tTwW")
ABSOLUTE_KINDS = frozenset("aA")
# Entries that compilers put before functions, marks between code and data (arm64), and the kernel's own trampolines:
# they only end what stands before them.
HIDDEN = ("__pfx_", "__cfi_", ".", "$")
# Where the file has _stext: any fixed place is right, since SystemTap only uses distances to it.
LINK_STEXT = 0xFFFFFFFF81000000
NOTE_BUILD_ID = 3
BUILD_ID_BYTES = range(8, 65)


class Symbol(NamedTuple):
    """Hold one line of kallsyms; `address` is that of the file, not of this boot."""

    address: int
    kind: str
    name: str

    @property
    def is_text(self) -> bool:
        """Return whether it is a function."""
        return self.kind in TEXT_KINDS

    @property
    def is_absolute(self) -> bool:
        """Return whether its address is a number and no place in the image."""
        return self.kind in ABSOLUTE_KINDS


class Symbols:
    """Hold the symbols of one kernel at the addresses of the file: the same for every boot and every host."""

    def __init__(self, symbols: list[Symbol]) -> None:
        """Take symbols whose `_stext` is at LINK_STEXT."""
        self.all = symbols
        self.places: dict[str, int] = {}
        for symbol in symbols:
            self.places.setdefault(symbol.name, symbol.address)
        self.text = self._range("_stext", "_etext")
        self.init_text = self._range("_sinittext", "_einittext", optional=True)
        last = max(self.text[1], self.init_text[1])
        # A kernel that lists no data (no CONFIG_KALLSYMS_ALL) does not say where it ends: with what it lists, then.
        notes = self.places.get("__start_notes", 0)
        self.end = self.places.get("_end", 0) or max(last, min(notes, LINK_STEXT + MAX_SPAN) + MAX_NOTES)
        if not last <= self.end <= LINK_STEXT + MAX_SPAN:
            raise KernelInfoError("the host's /proc/kallsyms has no usable _end after its functions")
        if self.init_text[1] and self.init_text[0] < self.text[1]:
            raise KernelInfoError(
                "the host's /proc/kallsyms has _sinittext before _etext, as no known kernel has"
            )
        self._edges = sorted(
            {s.address for s in symbols if not s.is_absolute and LINK_STEXT <= s.address <= self.end}
        )

    def _range(self, first: str, last: str, optional: bool = False) -> tuple[int, int]:
        start, end = self.places.get(first, 0), self.places.get(last, 0)
        if optional and not start and not end:
            return 0, 0
        if not start < end <= LINK_STEXT + MAX_SPAN:
            raise KernelInfoError(f"the host's /proc/kallsyms has no usable {first} and {last}")
        return start, end

    def size(self, address: int, most: int) -> int:
        """Return the bytes from an address of the image to the next symbol, at most `most`."""
        at = bisect.bisect_right(self._edges, address)
        following = self._edges[at] if at < len(self._edges) else self.end
        return max(0, min(following - address, most))

    def functions(self) -> list[Symbol]:
        """Return the functions in the kernel's text, those that are only run while it boots included."""
        ranges = [pair for pair in (self.text, self.init_text) if pair[1]]
        return [
            symbol
            for symbol in self.all
            if symbol.is_text
            and not symbol.name.startswith(HIDDEN)
            and any(start <= symbol.address < end for start, end in ranges)
        ]

    def system_map(self) -> bytes:
        """Return the functions as a System.map has them: where SystemTap looks whether a kernel has one."""
        lines = (f"{symbol.address:016x} {symbol.kind} {symbol.name}\n" for symbol in self.functions())
        return "".join(lines).encode()


def read_kallsyms(data: bytes) -> Symbols:
    """Return the kernel's own symbols, those of its modules left out, moved to where the file has them."""
    if len(data) > MAX_BYTES:
        raise KernelInfoError(f"/proc/kallsyms of the host has more than {MAX_BYTES} bytes")
    found = [
        (int(address, 16), kind.decode(), name.decode())
        for address, kind, name in LINE.findall(data.replace(b"\r", b""))
    ]
    if len(found) > MAX_SYMBOLS:
        raise KernelInfoError(f"/proc/kallsyms of the host has more than {MAX_SYMBOLS} symbols of the kernel")
    start = next((address for address, _kind, name in found if name == "_stext"), None)
    if start is None:
        raise KernelInfoError("/proc/kallsyms of the host has no _stext: it is not the kernel's own list")
    if not start:
        raise KernelInfoError(
            "/proc/kallsyms of the host shows no addresses, not even to root (kernel.kptr_restrict=2 or lockdown);"
            " set kernel.kptr_restrict to 1 or 0 while the sweep builds"
        )
    slide = start - LINK_STEXT
    symbols = [
        Symbol(address if kind in ABSOLUTE_KINDS else (address - slide) % (1 << 64), kind, name)
        for address, kind, name in found
    ]
    return Symbols(symbols)


def build_id(notes: bytes) -> str:
    """Return the build id in hexadecimal digits that the notes of a kernel or of a module carry."""
    if len(notes) > MAX_NOTES:
        raise KernelInfoError(f"the kernel's notes have more than {MAX_NOTES} bytes")
    at = 0
    while at + 12 <= len(notes):
        name_bytes, text_bytes, kind = struct.unpack_from("<III", notes, at)
        name_at = at + 12
        text_at = name_at + (name_bytes + 3 & ~3)
        at = text_at + (text_bytes + 3 & ~3)
        if at > len(notes) + 3:
            break
        if kind == NOTE_BUILD_ID and notes[name_at : name_at + name_bytes] == b"GNU\0":
            value = notes[text_at : text_at + text_bytes]
            if len(value) == text_bytes and text_bytes in BUILD_ID_BYTES:
                return value.hex()
    raise KernelInfoError("the kernel's notes have no build id, by which a module knows its kernel")
