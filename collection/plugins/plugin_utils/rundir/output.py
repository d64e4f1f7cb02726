# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of one session as a stream of bytes, unpacked in bounded memory."""

from __future__ import annotations

import hashlib
import io
import zlib
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.access import CHUNK


class Output(io.RawIOBase):
    """The uncompressed bytes of a `.out.gz`, at most `limit` of them, never raising for a damaged file.

    After reading: `cut` is set when the gzip stream ended early or is damaged, `over_limit` when there was
    more than `limit` (what unpacks to gigabytes is read no further); `sha256` and `size` are of what was
    given.
    """

    def __init__(self, handle: io.FileIO, limit: int) -> None:
        super().__init__()
        self._handle = handle
        self._limit = limit
        self._inflate: Any = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._hash = hashlib.sha256()
        self._done = False
        self.size = 0
        self.cut = False
        self.over_limit = False

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the bytes given so far, in hex digits."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(min(len(view), CHUNK))
        view[: len(data)] = data
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def _next(self, wanted: int) -> bytes:
        while not self._done:
            if self._inflate.eof:  # end of one gzip member: another may follow
                self._pending = self._inflate.unused_data or self._read()
                if not self._pending:
                    break
                self._inflate = zlib.decompressobj(wbits=31)
            at_end = False
            if not self._pending:
                self._pending = self._read()
                at_end = not self._pending  # zlib itself may still hold some output back: ask it once more
            room = self._limit - self.size
            try:
                data: bytes = self._inflate.decompress(self._pending, max(1, min(wanted, room)))
            except zlib.error:
                self.cut = True
                break
            self._pending = self._inflate.unconsumed_tail
            if data and room <= 0:
                self.over_limit = True
                break
            if data:
                return data
            if at_end and not self._inflate.eof:
                self.cut = self._handle.tell() > 0  # an empty file is no output, not half of one
                break
        self._done = True
        return b""

    def _read(self) -> bytes:
        return self._handle.read(CHUNK) or b""
