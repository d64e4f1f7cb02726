# SPDX-License-Identifier: GPL-3.0-or-later
"""Make BTF, kallsyms and notes of kernels that do not exist, and read DWARF back, for tests of kernelinfo."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST = range(1, 11)
RESTRICT, FUNC, PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(11, 20)
SIGNED = 1 << 24
STEXT = 0xFFFFFFFF90200000  # of a boot whose kernel is not where it was linked
BUILD_ID = bytes(range(20))


class BtfMaker:
    """Build BTF type by type; each method returns the number of the new type."""

    def __init__(self, first: int = 1, strings: int = 0) -> None:
        self.types = bytearray()
        self.strings = bytearray(b"" if strings else b"\0")
        self.start = strings
        self.count = first

    def name(self, text: str) -> int:
        if not text:
            return 0
        at = self.start + len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, kind: int, name: str, value: int, words: bytes = b"", count: int = 0, flag: int = 0) -> int:
        self.types += struct.pack("<III", self.name(name), flag << 31 | kind << 24 | count, value) + words
        self.count += 1
        return self.count - 1

    def integer(self, name: str, size: int, signed: bool = False) -> int:
        return self.add(INT, name, size, struct.pack("<I", SIGNED * signed | 8 * size))

    def pointer(self, to: int) -> int:
        return self.add(PTR, "", to)

    def typedef(self, name: str, to: int) -> int:
        return self.add(TYPEDEF, name, to)

    def array(self, of: int, count: int) -> int:
        return self.add(ARRAY, "", 0, struct.pack("<III", of, 1, count))

    def struct(self, name: str, size: int, members: list[tuple[str, int, int]], kind: int = STRUCT) -> int:
        words = b"".join(struct.pack("<III", self.name(n), t, offset) for n, t, offset in members)
        return self.add(kind, name, size, words, len(members))

    def bits(self, name: str, size: int, members: list[tuple[str, int, int, int]]) -> int:
        words = b"".join(struct.pack("<III", self.name(n), t, w << 24 | at) for n, t, at, w in members)
        return self.add(STRUCT, name, size, words, len(members), flag=1)

    def enum(self, name: str, values: dict[str, int]) -> int:
        words = b"".join(struct.pack("<Ii", self.name(n), v) for n, v in values.items())
        return self.add(ENUM, name, 4, words, len(values), flag=1)

    def enum64(self, name: str, values: dict[str, int]) -> int:
        words = b"".join(struct.pack("<IQ", self.name(n), v) for n, v in values.items())
        return self.add(ENUM64, name, 8, words, len(values))

    def function(self, name: str, result: int, parameters: list[tuple[str, int]]) -> int:
        words = b"".join(struct.pack("<II", self.name(n), t) for n, t in parameters)
        prototype = self.add(PROTO, "", result, words, len(parameters))
        return self.add(FUNC, name, prototype, count=1)

    def variable(self, name: str, of: int) -> int:
        return self.add(VAR, name, of, struct.pack("<I", 1))

    def bytes(self) -> bytes:
        types, strings = bytes(self.types), bytes(self.strings)
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
        return header + types + strings


class Parameters(BtfMaker):
    """Have the types of parameters by which calling conventions differ."""

    def __init__(self) -> None:
        super().__init__()
        self.int = self.integer("int", 4, signed=True)
        self.long = self.integer("long", 8, signed=True)
        self.huge = self.integer("__int128", 16, signed=True)
        self.ptr = self.pointer(0)
        self.two = self.struct("two", 16, [("a", self.long, 0), ("b", self.int, 64)])
        self.twelve = self.struct(
            "twelve", 12, [("a", self.int, 0), ("b", self.int, 32), ("c", self.int, 64)]
        )
        self.packed = self.struct("packed", 12, [("a", self.int, 0), ("b", self.long, 32)])
        self.large = self.struct("large", 24, [("a", self.array(self.long, 3), 0)])
        self.bits_ = self.bits("bits", 8, [("a", self.long, 3, 5), ("b", self.long, 8, 40)])
        self.double = self.add(FLOAT, "double", 8)
        self.vector = self.struct("vector", 16, [("x", self.double, 0), ("y", self.double, 64)])
        self.name_of_two = self.typedef("two_t", self.two)
        self.wide = self.struct("wide", 16, [("a", self.huge, 0)])
        self.vectors = self.struct("vectors", 32, [("x", self.array(self.double, 4), 0)])
        self.doubles = self.struct("doubles", 72, [("x", self.array(self.double, 9), 0)])


def kallsyms(
    functions: dict[str, int], slide_from: int = STEXT, more: str = "", notes: int = 0x9000
) -> bytes:
    """Return the list of a kernel with these functions at offsets from _stext (below 0x8000), as one boot has it."""
    marks = {"_stext": 0, "_etext": 0x8000, "__start_notes": notes}
    marks |= {"_sinittext": 0xA000, "_einittext": 0xB000, "_end": 0xC000}
    lines = [f"{slide_from + at:016x} T {name}" for name, at in {**marks, **functions}.items()]
    return ("\n".join(lines) + "\n" + more).encode()


def notes(identity: bytes = BUILD_ID) -> bytes:
    """Return notes as kernels have them: one of another kind before the build id."""
    other = struct.pack("<III", 4, 4, 6) + b"Xen\0" + b"abcd"
    return other + struct.pack("<III", 4, len(identity), 3) + b"GNU\0" + identity


@dataclass
class Entry:
    """Hold one entry of DWARF; references to types are offsets in the section."""

    offset: int
    tag: int
    values: dict[int, Any]
    children: list[Entry] = field(default_factory=list)


class Dwarf:
    """Read what was written, by the standard and by nothing of the product."""

    def __init__(self, info: bytes, abbrev: bytes, strings: bytes) -> None:
        self.info, self.strings = info, strings
        self.codes = self._read_codes(abbrev)
        self.by_offset: dict[int, Entry] = {}
        self.units: list[Entry] = []
        at = 0
        while at < len(info):
            length, version, _abbrev, address = struct.unpack_from("<IHIB", info, at)
            assert (version, address) == (4, 8)
            self.unit, end = at, at + 4 + length
            entries, read = self._entries(at + 11, end)
            assert len(entries) == 1
            assert read == end
            self.units += entries
            at = end

    def _number(self, at: int, signed: bool = False, data: bytes | None = None) -> tuple[int, int]:
        data = self.info if data is None else data
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return (value - (1 << shift) if signed and byte & 0x40 else value), at

    def _read_codes(self, data: bytes) -> dict[int, tuple[int, int, list[tuple[int, int]]]]:
        at, codes = 0, {}
        while data[at]:
            code, at = self._number(at, data=data)
            tag, at = self._number(at, data=data)
            children, at = data[at], at + 1
            attributes = []
            while True:
                attribute, at = self._number(at, data=data)
                form, at = self._number(at, data=data)
                if not attribute and not form:
                    break
                attributes.append((attribute, form))
            codes[code] = (tag, children, attributes)
        assert at == len(data) - 1
        return codes

    def _entries(self, at: int, end: int) -> tuple[list[Entry], int]:
        found = []
        while at < end:
            start = at
            code, at = self._number(at)
            if not code:
                return found, at
            tag, children, attributes = self.codes[code]
            entry = Entry(start, tag, {})
            for attribute, form in attributes:
                entry.values[attribute], at = self._value(form, at)
            self.by_offset[start] = entry
            if children:
                entry.children, at = self._entries(at, end)
            if 0x01 in entry.values:  # the sibling
                assert entry.values[0x01] == at
            found.append(entry)
            if tag == 0x11:
                return found, at
        return found, at

    def _value(self, form: int, at: int) -> tuple[Any, int]:
        info = self.info
        fixed = {0x01: "<Q", 0x06: "<I", 0x0B: "<B", 0x10: "<I", 0x17: "<I"}
        if form in fixed:
            return struct.unpack_from(fixed[form], info, at)[0], at + struct.calcsize(fixed[form])
        if form == 0x13:
            return self.unit + struct.unpack_from("<I", info, at)[0], at + 4
        if form == 0x0E:
            text = struct.unpack_from("<I", info, at)[0]
            return self.strings[text : self.strings.index(b"\0", text)].decode(), at + 4
        if form == 0x18:
            length, at = self._number(at)
            return info[at : at + length], at + length
        if form == 0x19:
            return True, at
        return self._number(at, signed=form == 0x0D)

    def named(self, tag: int, name: str) -> Entry:
        (found,) = (e for e in self.by_offset.values() if e.tag == tag and e.values.get(0x03) == name)
        return found

    def type_of(self, entry: Entry) -> Entry:
        return self.by_offset[entry.values[0x49]]


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)


@st.composite
def types(draw: st.DrawFn) -> tuple[BtfMaker, list[tuple[int, list[Any]]]]:
    """Make BTF whose types refer to earlier ones by value, and to any by pointer; say for each how it was made."""
    maker, made = BtfMaker(), []
    count = draw(st.integers(1, 25))
    for number in range(1, count + 1):
        kinds = ["int", "pointer"] + ["typedef", "array", "struct", "union", "bits", "enum", "enum64"] * (
            number > 1
        )
        kind, name = draw(st.sampled_from(kinds)), draw(NAMES)
        earlier = st.integers(1, number - 1)
        if kind == "int":
            size = draw(st.sampled_from([1, 2, 4, 8, 16]))
            maker.integer(name, size, draw(st.booleans()))
            made.append((0x24, [name, size]))
        elif kind == "pointer":
            to = draw(st.integers(0, number - 1))
            maker.pointer(to)
            made.append((0x0F, [to]))
        elif kind == "typedef":
            to = draw(earlier)
            maker.typedef(name, to)
            made.append((0x16, [name, to]))
        elif kind == "array":
            of, length = draw(earlier), draw(st.integers(0, 4))
            maker.array(of, length)
            made.append((0x01, [of, length]))
        elif kind in ("struct", "union"):
            size = draw(st.integers(0, 1 << 20))
            member = st.tuples(NAMES, earlier, st.integers(0, 1 << 20).map(lambda byte: 8 * byte))
            members = draw(st.lists(member, max_size=5))
            maker.struct(name, size, members, STRUCT if kind == "struct" else UNION)
            made.append((0x13 if kind == "struct" else 0x17, [name, size, members]))
        elif kind == "bits":
            member = st.tuples(NAMES, earlier, st.integers(0, (1 << 24) - 1), st.integers(1, 64))
            members = draw(st.lists(member, min_size=1, max_size=5))
            maker.bits(name, 8, members)
            made.append((0x13, [name, 8, members]))
        else:
            low, high = (-(1 << 31), (1 << 31) - 1) if kind == "enum" else (0, (1 << 63) - 1)
            values = draw(st.dictionaries(NAMES, st.integers(low, high), min_size=1, max_size=5))
            (maker.enum if kind == "enum" else maker.enum64)(name, values)
            made.append((0x04, [name, values]))
    return maker, made
