# SPDX-License-Identifier: GPL-3.0-or-later
"""report.md, read back with a Markdown parser: what a host made up is never more than text in a code span."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import reportdata
import rundirs
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_md
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

OURS = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    *(f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")),
}
INLINE = {"text", "code_inline", "strong_open", "strong_close", "softbreak", "text_special"}
# What trackers find in text: mentions, references, addresses, commits, emoji, entities, markup.
MADE_SOMETHING_OF = re.compile(r"[@#<>&|`*_~\[\]{}\\=!\"$]|://|www\.|:\w+:|\b[0-9a-f]{7,40}\b")
TRICKS = [
    *rundirs.HOSTILE,
    "@everyone",
    "ask @octo/team now",
    "fixes #12",
    "GH-26",
    "octo/repo#1",
    "https://evil.example/x",
    "www.evil.example",
    "me@evil.example",
    "deadbeef",
    "0123456789abcdef0123456789abcdef01234567",
    ":tada:",
    "![x](https://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "| a | b |",
    "a\\|b",
    "a`b",
    "``",
    "` ",
    "`",
    "a ``` b",
    "\\",
    "- item",
    "1. item",
    "1) item",
    "# head",
    "> quote",
    "---",
    "***",
    "+ x",
    "&lt;b&gt;",
    "$x$",
    "<details>",
    "{{ x }}",
]


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def inline(text: str) -> list[Token]:
    return [child for token in parsed(text) for child in token.children or []]


def checked(text: str) -> list[Token]:
    tokens = parsed(text)
    assert {token.type for token in tokens} <= OURS
    children = [child for token in tokens for child in token.children or []]
    assert {child.type for child in children} <= INLINE
    return tokens


@pytest.mark.parametrize("text", TRICKS)
def test_nothing_is_made_of_a_text(text: str) -> None:
    row = f"| {as_md.words(text)} | ours |"
    tokens = checked(f"| a | b |\n| --- | --- |\n{row}\n")
    assert [token.type for token in tokens].count("td_open") == 2
    alone = checked(f"x: {as_md.words(text)}\n")
    assert [token.type for token in alone] == ["paragraph_open", "inline", "paragraph_close"]
    seen = "".join(child.content for child in alone[1].children or [])
    assert seen.split() == f"x: {printable(text)}".replace("|", "\\x7c").split()
    plain = "".join(child.content if child.type == "text" else " " for child in alone[1].children or [])
    assert not MADE_SOMETHING_OF.search(plain)


@given(st.text(max_size=40) | st.text("`|\\ab @#.1-+)<&;:", max_size=20))
def test_any_text_stays_in_its_cell(text: str) -> None:
    tokens = checked(f"| a | b |\n| --- | --- |\n| {as_md.words(text)} | ours |\n")
    cells = [token.children or [] for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    seen = "".join(child.content for child in cells[0])
    assert seen.split() == printable(text).replace("|", "\\x7c").split()
    plain = " ".join(child.content for child in cells[0] if child.type == "text")
    assert not MADE_SOMETHING_OF.search(plain)


def test_nothing_hostile_is_markup(tmp_path: Path) -> None:
    text = as_md.render(reportdata.hostile(tmp_path))
    tokens = checked(text)
    plain = [
        child.content
        for token in tokens
        for child in token.children or []
        if child.type == "text" and child.content.strip(" *")
    ]
    assert [words for words in plain if MADE_SOMETHING_OF.search(words.removesuffix(" *"))] == []
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_every_table_keeps_its_columns(tmp_path: Path) -> None:
    tokens = checked(as_md.render(reportdata.hostile(tmp_path)))
    columns, rows = 0, 0
    for token in tokens:
        if token.type == "table_open":
            columns = 0
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open":
            found = 0
        elif token.type == "td_open":
            found += 1
        elif token.type == "tr_close" and found:
            rows += 1
            assert found == columns
    assert rows > 30


def test_lines_that_a_host_printed_stay_in_their_fence(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"], ["notes"])
    made.window()
    made.whole("web1", {"notes": made.out(payload="```\n````\n# not a heading\n~~~\n")})
    tokens = checked(as_md.render(reports.build(made.path, generated="now")))
    (fence,) = (token for token in tokens if token.type == "fence")
    assert fence.content.splitlines() == ["```", "````", "# not a heading", "~~~"]


def test_verdict_findings_coverage_rows(tmp_path: Path) -> None:
    text = as_md.render(reportdata.found(reportdata.sweep(tmp_path)))
    lines = text.splitlines()
    assert lines[0].startswith("## fleetdiag: ")
    assert lines[0].endswith("3 of 3 hosts probed (1 with losses)")
    assert (
        "- **critical** `web3`: 14 files open longer than 1000 ms; the other 2 hosts: 0\\. Longest 8.47 s:"
        " `/var/www/html/lectura_lenta.html` (httpd)"
    ) in lines
    assert "| `web3` | degraded | `slow_open`: late 3.2 s |  |" in lines
    assert "| 2: `web1, web2` | probed |  |  |" in lines
    assert "| `web3` \\* | httpd | `/var/www/html/lectura_lenta.html` | 8.47 s | 14 |" in lines
    heads = ["### Findings", "### Coverage", "### Probe `slow_open`", "### Conditions"]
    assert [lines.index(head) for head in heads] == sorted(lines.index(head) for head in heads)


def test_what_is_not_shown_is_summed_up(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.window()
    many = [record("slow_files", 9, f"p{n}", "/x", 1_500_000 + n, 1) for n in range(30)]
    made.whole("web1", {"slow_open": made.out(*many)})
    lines = as_md.render(reports.build(made.path)).splitlines()
    assert "| **other: 20 rows of 1 host** |  |  | 1.5 s | 20 |" in lines
    assert "| **total: 1 host** |  |  | 1.5 s | 30 |" in lines
