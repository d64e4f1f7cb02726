# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `rows`, many lines at a time: a block of records becomes columns, each read and checked as a whole.

Only a block of which every line is a sound record of a declared table, or a control record, is taken; what is
otherwise, or only unusual, is None, and its lines are read one by one (see rows). What is taken reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.quantities import (
    BYTES_PER_UNIT,
    UNITS_PER_SECOND,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import TRUTHS
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Batch
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import (
    Column,
    Probe,
    Table,
    Value,
)

Fields = Sequence[bytes]
_Read = Callable[[Fields], "Sequence[Value] | None"]

_MAX_TEXTS = 4096
"""Texts of a column that are remembered."""
# Numbers of fewer digits fit 64 bits, also multiplied by 1024.
_DIGITS = 15
_AS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * (_DIGITS + 2)  # a nonce may be 16 digits
_SIGNED = re.compile(rb"(?:-?[0-9]+\n)*")
_DECIMAL = re.compile(rb"(?:-?[0-9]+(?:\.[0-9]+)?\n)*")


class BlockReader:
    """Reads blocks of whole lines of one session, of which none may be too long."""

    def __init__(self, probe: Probe, nonce: str) -> None:
        self._nonce = nonce.encode("ascii")
        self._tables = [_TableReader(table, self._nonce) for table in probe.tables.values()]
        self._control = re.compile(rb"^" + self._nonce + rb"\t[0-9]+\t@[^\n]*\n", re.MULTILINE)

    def read(self, block: bytes) -> tuple[list[Batch], list[bytes]] | None:
        """Return the batches of each table, and the lines of control records; None if it must be read line by line."""
        if _MANY_DIGITS in block.translate(_AS_ZERO):
            return None
        lines = block.count(b"\n")
        if len(self._tables) == 1:
            batch = self._tables[0].read(block, lines)
            if batch is not None:
                return [batch], []
        control = self._control.findall(block)
        found: list[Batch] = []
        left = lines - len(control)
        for table in self._tables:
            own = table.lines(block)
            left -= len(own)
            batch = table.read(b"".join(own), len(own)) if own else None
            if own and batch is None:
                return None
            found += [batch] if batch is not None else []
        return (found, [line[:-1] for line in control]) if left == 0 else None


class _TableReader:
    """Reads the records of one table."""

    def __init__(self, table: Table, nonce: bytes) -> None:
        self._name = table.name
        self._nonce = nonce
        self._label = table.name.encode()
        self._cells = [_column(column) for column in table.columns]
        prefix = rb"^" + nonce + rb"\t[0-9]+\t" + re.escape(self._label)
        self._lines = re.compile(prefix + rb"\t[^\n]*\n", re.MULTILINE)

    def lines(self, block: bytes) -> list[bytes]:
        """Return the lines of the block that are records of this table."""
        return self._lines.findall(block)

    def read(self, block: bytes, lines: int) -> Batch | None:
        """Return the batch of a block in which there are only valid records of this table; None if there is more."""
        width = len(self._cells) + 4
        fields = block.replace(b"\n", b"\n\t").split(b"\t")
        if len(fields) != lines * width + 1:
            return None
        columns = [fields[place:-1:width] for place in range(width)]
        # A field holds one newline at most, at its end: then each line ends with its last field, and only there.
        ended = b"".join(columns[-1])
        if ended.count(b"\n") != lines or columns[0].count(self._nonce) != lines:
            return None
        if width > 4:
            columns[-1] = ended.split(b"\n")[:-1]
        if columns[2].count(self._label) != lines:
            return None
        sequence, times = _numbers(columns[1]), _numbers(columns[3])
        if sequence is None or times is None or not min(sequence):
            return None
        values: list[Sequence[Value]] = []
        for read, column in zip(self._cells, columns[4:], strict=True):
            cells = read(column)
            if cells is None:
                return None
            values.append(cells)
        return Batch(self._name, times, sequence, values)


def _column(column: Column) -> _Read:
    """Return the reader of all fields of a column, like `field_values.cell` for one; it gives None if any is invalid."""
    if column.type in ("string", "path"):
        return _Texts().read
    if column.type in ("int", "timestamp"):
        return _integers
    if column.type == "float":
        return _decimals
    if column.type == "bytes":
        factor = BYTES_PER_UNIT[column.unit or "B"]
        return lambda fields: _sizes(fields, factor)
    if column.type == "duration":
        parts = UNITS_PER_SECOND[column.unit or "s"]
        return lambda fields: _seconds(fields, parts)
    return _truths


class _Texts(dict[bytes, str]):
    """The texts of a column; the same ones come again and again."""

    def __missing__(self, field: bytes) -> str:
        if len(self) >= _MAX_TEXTS:
            self.clear()
        text = self[field] = decode(field)
        return text

    def read(self, fields: Fields) -> Sequence[Value] | None:
        return list(map(self.__getitem__, fields))


def _numbers(fields: Fields) -> list[int] | None:
    """Return whole numbers that have no sign; None if one of the fields is no such number."""
    if not b"".join(fields).isdigit():
        return None
    try:
        return list(map(int, fields))
    except ValueError:  # an empty field
        return None


def _integers(fields: Fields) -> Sequence[Value] | None:
    numbers = _numbers(fields)
    if numbers is None and _SIGNED.fullmatch(b"\n".join([*fields, b""])):
        return list(map(int, fields))
    return numbers


def _sizes(fields: Fields, factor: int) -> Sequence[Value] | None:
    numbers = _numbers(fields)
    return numbers if numbers is None or factor == 1 else [number * factor for number in numbers]


def _decimals(fields: Fields) -> list[float] | None:
    return list(map(float, fields)) if _DECIMAL.fullmatch(b"\n".join([*fields, b""])) else None


def _seconds(fields: Fields, parts: int) -> Sequence[Value] | None:
    whole = _numbers(fields)
    seconds = list(map(float, fields)) if whole is not None else _decimals(fields)
    if seconds is None or min(seconds) < 0:
        return None
    return [number / parts for number in seconds]


def _truths(fields: Fields) -> Sequence[Value] | None:
    return [TRUTHS[field] for field in fields] if set(fields) <= TRUTHS.keys() else None
