# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from probed hosts: undo SystemTap's `text_str()`, and make any text safe to show.

`decode` gives data: an ESC byte in a process name stays one. `printable` is the one choke point of every
renderer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SHORT = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_SHORT |= {b'"': b'"', b"\\": b"\\"}
_SHORT_OF = {code[0]: b"\\" + letter for letter, code in _SHORT.items()}
_ESCAPE = re.compile(rb'\\(?:([abfnrtv"\\])|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))')

# Characters that Python calls printable but that show nothing, or join what stands beside them.
_INVISIBLE = frozenset(
    [
        *"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f",
        *map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]),  # variation selectors
    ]
)
MAX_MARKS = 4
"""Marks over and below one letter. No script needs more; a hundred of them cover the lines above and below."""


def decode(printed: bytes) -> str:
    """Return the text that `text_str()` was given. Never raises; the result can always be encoded as UTF-8.

    Unknown escapes (`\\q`) and escapes of no character (`\\ud800`) are kept as they stand; bytes that are not
    UTF-8 come out as `\\xff`.
    """
    return plain(unescape(printed))


def plain(raw: bytes) -> str:
    """Return text that did not go through `text_str()`: bytes that are not UTF-8 come out as `\\xff`."""
    return raw.decode("utf-8", "backslashreplace")


def unescape(printed: bytes) -> bytes:
    """Return the bytes that `text_str()` was given."""
    return _ESCAPE.sub(_unescape, printed) if b"\\" in printed else printed


def _unescape(match: re.Match[bytes]) -> bytes:
    short, octal, four, eight = match.groups()
    if short is not None:
        return _SHORT[short]
    if octal is not None:
        return bytes([int(octal, 8)])
    code = int(four if four is not None else eight, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return match.group(0)
    return chr(code).encode("utf-8")


def encode(text: str | bytes) -> bytes:
    """Return `text` as `text_str()` prints it (without its length limit): ASCII, no tab, no newline."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Bytes that are not UTF-8 become lone surrogates, and are told from characters by that.
    return b"".join(_escape(character) for character in raw.decode("utf-8", "surrogateescape"))


def _escape(character: str) -> bytes:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return b"\\%03o" % (code - 0xDC00)
    if code in _SHORT_OF:
        return _SHORT_OF[code]
    if 0x20 <= code < 0x7F:
        return bytes([code])
    if code < 0x80:
        return b"\\%03o" % code
    return b"\\u%04x" % code if code <= 0xFFFF else b"\\U%08x" % code


def printable(text: str) -> str:
    """Return `text` with all that a terminal or browser might act on or hide as `\\x1b`, `\\u202e`, `\\U000e0041`.

    That is C0 (also newline and tab), DEL, C1, bidirectional and zero-width characters, variation selectors,
    line separators, surrogates, unassigned code points, and marks beyond so many on one letter. Everything
    else, in any script, is kept.
    """
    if text.isascii():
        return text if text.isprintable() else "".join(map(_shown, text))
    shown, marks = [], 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        shown.append(_shown(character) if marks <= MAX_MARKS else _code(character))
    return "".join(shown)


@lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if character not in _INVISIBLE and (character.isprintable() or unicodedata.category(character) == "Zs"):
        return character
    return _code(character)


def _code(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
