# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import (
    decode,
    encode,
    plain,
    printable,
    unescape,
)


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (rb"a\tb\nc\\", "a\tb\nc\\"),
        (rb"\033[31m", "\x1b[31m"),
        (rb"\u65e5", "日"),
        (rb"\U0001f600", "😀"),
        (rb"\377", r"\xff"),
        (rb"bad\q", r"bad\q"),
        (rb"\a\b\f\r\v\"", '\a\b\f\r\v"'),
        (rb"\\n", r"\n"),
        (rb"\\\n", "\\\n"),
        (rb"\000", "\0"),
        (rb"\303\251", "é"),
        (rb"\ud800", r"\ud800"),
        (rb"\U00110000", r"\U00110000"),
        (rb"\777", r"\777"),
        (rb"\12", r"\12"),
        (rb"\u12", r"\u12"),
        (b"trailing\\", "trailing\\"),
        (b"raw\x9b", r"raw\x9b"),
        ("raw 日本".encode(), "raw 日本"),
        (b"", ""),
    ],
)
def test_text_str_is_undone(printed: bytes, text: str) -> None:
    assert decode(printed) == text


@given(st.binary())
def test_any_bytes_decode_to_valid_text(printed: bytes) -> None:
    decode(printed).encode("utf-8")
    json.loads(json.dumps(decode(printed)))
    plain(printed).encode("utf-8")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_survives_the_round_trip(text: str) -> None:
    assert decode(encode(text)) == text


@given(st.binary())
def test_bytes_survive_the_round_trip(raw: bytes) -> None:
    assert unescape(encode(raw)) == raw


@given(st.text() | st.binary())
def test_encoded_text_is_one_field_of_one_line(text: str | bytes) -> None:
    assert encode(text).isascii()
    assert not set(encode(text)) & set(range(0x20))


def test_encode_writes_what_systemtap_writes() -> None:
    assert encode(b'a"\\\x1b\xff\t') == rb"a\"\\\033\377\t"
    assert encode("é日😀") == rb"\u00e9\u65e5\U0001f600"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;pwn\x07", r"\x1b]0;pwn\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rok: [h1]", r"a\x0dok: [h1]"),
        ("a\nb\tc", r"a\x0ab\x09c"),
        ("\x9b31m", r"\x9b31m"),
        ("\x7f", r"\x7f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066\u200b\ufeff\u2028\u2029\u00ad", r"\u2066\u200b\ufeff\u2028\u2029\xad"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("\u3164\u2800", r"\u3164\u2800"),
        ("日本 naïve 😀", "日本 naïve 😀"),
        ("a\ufe0fb\U000e0100c\u180b", r"a\ufe0fb\U000e0100c\u180b"),
        ("a" + "\u0301" * 7 + "b\u0302", "a" + "\u0301" * 4 + r"\u0301\u0301\u0301" + "b\u0302"),
        ("ก็้ שָׁ", "ก็้ שָׁ"),
        (r"C:\x1b", r"C:\x1b"),
        ("", ""),
    ],
)
def test_nothing_a_terminal_acts_on_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_is_inert_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF for c in shown)
    assert not set(shown) & set("\u200b\u200e\u202a\u202e\u2066\u2069\u2028\u2029\ufeff")
    assert printable(shown) == shown
    assert len(shown.encode("utf-8")) >= len(shown)
