# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that real processes and files can carry, and what every output must be whatever names it carries."""

from __future__ import annotations

import base64
import binascii
import csv
import gzip
import io
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

CANARY = "cNrY7q2Zk"
"""Nowhere but in a secret; 9 bytes, so that `token=` and it are a process name."""

NAMES = [
    b"tab\there",
    b"nl\nweb9\t7\troot",
    b"\x1b[2J\x1b]0;pwn\x07",
    b"a\rok: [web9]",
    b"</script><b>x",
    b'"><img src=x>',
    b"=cmd|' /C calc",
    b"@SUM(1)",
    "\u202egnp.exe".encode(),
    b"\xff\xfe\x9b31m",
    "日本語".encode(),
    b'q"b\\s`c',
    b"{{ 7 * 7 }}",
    b"[x](file:///)",
    b"0 x(7): ->f",
    b"(others)",
    b" ",
    f"token={CANARY}".encode(),
]
"""At most 15 bytes each, as the kernel keeps them."""

FILES = [
    b"</script><script>alert(1)</script>",
    b"<!--<script>",
    b'"><img src=x onerror=alert(2)>',
    b"=1+1|x",
    b"a\nb\tc\x1b[31md",
    "日本".encode() * 42,
    b"A" + b"\xff" * 254,
    b"x" * 255,
    "a\u2028b\u202ec".encode(),
    b"[x](javascript:alert(3)) `c` **d** | e",
    f"api_key={CANARY}.dat".encode(),
]
"""Below a directory of their own; a slash makes a directory."""

UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""What a terminal acts on or does not show; a newline is what ends a line."""


def assert_safe_text(text: str) -> None:
    """No control character but newlines, nothing that turns or hides text."""
    found = UNSAFE.search(text)
    assert not found, repr(text[max(0, found.start() - 60) : found.end() + 20])


# --- formats


def _text(path: Path) -> None:
    assert_safe_text(path.read_bytes().decode("utf-8"))


def _json(path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{path}: {word} is no JSON")

    data = path.read_bytes()
    json.loads(data, parse_constant=refuse)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", data)


_MARKS = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "pre",
}
_MARKS |= {"strong", "em", "hr", "br", "details", "summary", "blockquote"}


class Elements(HTMLParser):
    """The elements and attributes of a page, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _markdown(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    assert_safe_text(text)
    page = Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    assert {tag for tag, _ in page.found} <= _MARKS
    assert all(set(attributes) <= {"style", "class"} for _, attributes in page.found)


_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _csv(path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig")
    assert_safe_text(text.replace("\r\n", "\n"))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not _FORMULA.match(cell) or _NUMBER.fullmatch(cell), cell


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        assert base.execute("pragma integrity_check").fetchall() == [("ok",)]
        for kind, name in base.execute("select type, name from sqlite_master"):
            assert kind in ("table", "index", "view")
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name


_SAMPLE = re.compile(
    r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    r'(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\\\|\\"|\\n)*")(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\\\|\\"|\\n)*")*\}|\{\})?'
    r" [-+]?([0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|Inf|NaN)( [0-9]+(\.[0-9]+)?)?"
)
_META = re.compile(r"# (TYPE|HELP|UNIT) [a-zA-Z_:][a-zA-Z0-9_:]* .*")


def _openmetrics(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    assert_safe_text(text)
    assert text.endswith("# EOF\n")
    for line in text.splitlines()[:-1]:
        assert _SAMPLE.fullmatch(line) or _META.fullmatch(line), line


def _html(path: Path) -> None:
    page = path.read_bytes().decode("utf-8")
    assert_safe_text(page)
    found = Elements(page).found
    assert not [
        tag for tag, _ in found if tag in ("img", "iframe", "object", "embed", "base", "form", "link")
    ]
    for _, attributes in found:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")
        ]
    assert "default-src 'none'" in page.replace("&#39;", "'")


CHECKS: dict[str, Callable[[Path], None]] = {
    ".html": _html,
    ".txt": _text,
    ".md": _markdown,
    ".csv": _csv,
    ".json": _json,
    ".sqlite": _sqlite,
    ".om": _openmetrics,
    ".prom": _openmetrics,
}


def assert_inert(folder: Path) -> set[str]:
    """Every file of a report does nothing but show what it holds; the suffixes that were checked."""
    seen = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        CHECKS[path.suffix](path)
        seen.add(path.suffix)
    return seen


def contents(path: Path) -> Iterator[bytes]:
    """What a file says: its bytes, unpacked where they are packed, and what long base64 in it stands for."""
    data = path.read_bytes()
    yield data
    yield from _unpacked(data)
    for word in re.findall(rb"[A-Za-z0-9+/]{60,}={0,2}", data):
        try:
            plain = base64.b64decode(word + b"=" * (-len(word) % 4))
        except binascii.Error:
            continue
        yield plain
        yield from _unpacked(plain)


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        try:
            yield gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return


def holding(needle: str, *folders: Path) -> list[Path]:
    """The files below these folders that say it, in any spelling."""
    spellings = [needle.encode(), needle.encode("utf-16-le"), base64.b64encode(needle.encode())[:-4]]
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(word in data for data in contents(path) for word in spellings)
    ]


def tables(report: dict[str, Any], probe: str) -> list[dict[str, Any]]:
    """The tables of a probe of report.json."""
    return next(list(section["tables"]) for section in report["probes"] if section["name"] == probe)
