# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import report as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html

VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """Elements, attributes and texts of a page; unbalanced tags fail."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture
def page(tmp_path: Path) -> str:
    return as_html.render(reports.build(rundirs.hostile(tmp_path).path, generated="now"))


def test_hostile_texts_are_texts(page: str) -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", page)
    parsed = Page(page)
    assert (parsed.count("script"), parsed.count("style"), parsed.count("img")) == (1, 1, 0)
    text = "".join(parsed.texts)
    for shown in (
        "</script><script>alert(1)</script>",
        "<!--<script>",
        '"><img src=x onerror=alert(2)>',
        "a\\u2028b",
        "\\x1b]0;pwn\\x07",
        "{{ 7 * 7 }}",
        "日本",
        "\\ud800",
        "../../../evilhost",
    ):
        assert shown in text


def test_hostile_texts_add_no_element(tmp_path: Path, page: str) -> None:
    """The same run with harmless texts of the same shape has the same elements."""
    tags = {tag for tag, _ in Page(page).elements}
    assert tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "p",
        "h1",
        "ul",
        "li",
        "dl",
        "div",
        "dt",
        "dd",
        "nav",
        "main",
        "section",
        "h2",
        "h3",
        "figure",
        "table",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "span",
        "abbr",
        "svg",
        "rect",
        "figcaption",
        "pre",
        "details",
        "summary",
        "aside",
        "footer",
        "code",
        "script",
    }


def test_no_handlers_styles_or_addresses(page: str) -> None:
    for tag, attributes in Page(page).elements:
        assert not [
            name
            for name in attributes
            if name.startswith("on") or name in ("style", "src", "srcset", "action")
        ]
        if "href" in attributes:
            assert tag == "a"
            assert str(attributes["href"]).startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    assert "innerHTML" not in page


def test_the_policy_allows_its_own_style_and_script_only(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_tables_are_read_aloud_well(page: str) -> None:
    parsed = Page(page)
    tables = parsed.count("table")
    assert tables > 4
    assert parsed.count("caption") == tables
    assert all(
        attributes.get("scope") in ("col", "row") for tag, attributes in parsed.elements if tag == "th"
    )
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(attributes["href"])[1:] for tag, attributes in parsed.elements if tag == "a"}
    assert links <= set(ids)


def test_losses_stand_in_the_page(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    made.whole("web1", {"slow_open": made.out(record("slow_files", 9, "a", "/x", 2000000, 1), late_s=3.2)})
    made.whole("web2", {"slow_open": made.out(record("slow_files", 9, "a", "/x", 2000000, 1))})
    page = as_html.render(reports.build(made.path, generated="now"))
    assert '<abbr class="mark" title="late 3.2 s">*</abbr>' in page
    assert '<li class="loss">* web1: late 3.2 s</li>' in page
    assert "2 of 2 hosts probed (1 with losses)" in page


@pytest.mark.parametrize(
    ("statuses", "tone"), [(["probed"], "good"), (["probed", "gone"], "mixed"), (["gone"], "bad")]
)
def test_the_tone_of_the_banner(tmp_path: Path, statuses: list[str], tone: str) -> None:
    made = Builder(tmp_path, [f"web{n}" for n in range(len(statuses))])
    made.window()
    for host, status in zip(made.hosts, statuses, strict=True):
        if status == "probed":
            made.whole(host, {"slow_open": made.out()})
    assert f'<header class="{tone}">' in as_html.render(reports.build(made.path, generated="now"))


def test_a_large_fleet_stays_small(tmp_path: Path) -> None:
    made = Builder(tmp_path, [f"web{n:03}" for n in range(60)])
    made.window()
    many = [record("slow_files", 9, f"process{n}", f"/srv/data/{n}", 2000000 + n, 1) for n in range(100)]
    out = made.out(*many)
    for host in made.hosts:
        made.whole(host, {"slow_open": out})
    page = as_html.render(reports.build(made.path, generated="now"))
    assert page.count("<tr>") < 600
    assert len(page) < 300_000
