# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pagedirs
import pytest
import rundirs
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import tables
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document.grids import DisplayLimits
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    data as model,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    packed as pack,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

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
        if self._open and self._open[-1] not in ("script", "style"):
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def build(made: rundirs.Builder) -> Report:
    return reports.build(made.path, generated="now")


def block(page: str) -> dict[str, Any]:
    """What the page's script works on."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data


@pytest.fixture
def page(tmp_path: Path) -> str:
    report = build(rundirs.hostile(tmp_path / "hostile"))
    for text in rundirs.HOSTILE:
        report.findings.append(
            Finding("critical", "compare", text, "slow_open", "slow_files", text, text, 1, (text,), mark=text)
        )
    return as_html.render(report)


@pytest.fixture
def fleet(tmp_path: Path) -> Report:
    """Twelve hosts and what was found about one of them."""
    return pagedirs.tell(build(pagedirs.fleet(tmp_path / "fleet", 12, 6)), "web007")


# --- hostile data ---


def test_hostile_texts_are_texts(page: str) -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", page)
    parsed = Page(page)
    assert (parsed.count("script"), parsed.count("style"), parsed.count("img")) == (3, 2, 0)
    text = "".join(parsed.texts)
    everything = json.dumps(block(page), ensure_ascii=False)
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
        assert json.dumps(shown, ensure_ascii=False)[1:-1] in everything


def test_nothing_in_the_data_can_end_it(page: str) -> None:
    (found,) = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(found)
    assert page.count("</script>") == page.count("<script") == 3


def test_hostile_texts_add_no_element(page: str) -> None:
    tags = {tag for tag, _ in Page(page).elements}
    assert tags <= {
        *("html", "head", "meta", "title", "style", "body", "script", "noscript"),
        *("a", "header", "nav", "main", "section", "footer", "aside", "div", "span", "p", "code", "pre"),
        *("h1", "h2", "h3", "ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure"),
        *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"),
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
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert unsafe not in page


def test_paths_of_outputs_stay_in_the_run_directory(page: str) -> None:
    for folder in block(page)["hosts"]["folder"]:
        assert re.fullmatch(r"hosts/[A-Za-z0-9._-]+", folder)
        assert ".." not in folder


def test_the_policy_allows_its_own_styles_and_scripts_only(page: str) -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        contents = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(contents) == 2
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in contents]
        assert rules[f"{tag}-src"].split() == [f"'sha256-{digest}'" for digest in digests]


def test_vendored_libraries_come_with_their_licence(page: str) -> None:
    vendor = Path(as_html.__file__).parent / "vendor"
    folders = [path for path in vendor.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert (folder / "LICENSE").read_text(encoding="utf-8") in page
        assert f"`{folder.name}`" in (vendor / "README.md").read_text(encoding="utf-8")
    version = re.search(r"uplot@([0-9.]+)", (vendor / "README.md").read_text(encoding="utf-8"))
    assert version is not None
    assert f"(v{version[1]})" in page


# --- what reads without script ---


@pytest.mark.parametrize("which", ["hostile", "fleet"])
def test_tables_are_read_aloud_well(page: str, fleet: Report, which: str) -> None:
    parsed = Page(page if which == "hostile" else as_html.render(fleet))
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


def test_findings_stand_on_top_with_their_figures_and_rows(fleet: Report) -> None:
    parsed = Page(as_html.render(fleet))
    text = "".join(parsed.texts)
    assert text.index("web007: seconds 15") < text.index("Coverage: every host")
    assert "Others' median0 s" in text
    assert "By chance1 in 5,000 reports" in text
    assert "Compared with10 hosts of web" in text
    proof = text.index("The rows that prove it")
    assert "/var/www/html/slow_13.html" in text[proof : proof + 2000]
    anchors = [
        str(attributes["href"])
        for _, attributes in parsed.elements
        if attributes.get("data-finding") is not None
    ]
    assert anchors == ["#p1t1", "#p2t1", "#p6calls"]


def test_many_findings_are_folded_and_the_rest_counted(fleet: Report) -> None:
    first = fleet.findings[0]
    fleet.findings = [dataclasses.replace(first, sentence=f"said {number}") for number in range(260)]
    text = "".join(Page(as_html.render(fleet)).texts)
    assert "188 more findings" in text
    assert "said 199" in text
    assert "said 200" not in text
    assert "60 further findings are in report.json." in text


@pytest.mark.parametrize(
    ("hosts", "compared", "words"),
    [
        (0, False, "No host was sampled, so nothing is known of any."),
        (1, False, "One host was sampled, there is none to compare it with"),
        (3, False, "no measure of these probes can be compared between hosts"),
        (3, True, "No host differs from its peers (1 comparison of 3 hosts)"),
    ],
)
def test_what_it_means_that_nothing_was_found(
    tmp_path: Path, fleet: Report, hosts: int, compared: bool, words: str
) -> None:
    made = Builder(tmp_path, [f"db{number}" for number in range(max(1, hosts))])
    made.window()
    for host in made.hosts[:hosts]:
        made.whole(host, {"slow_open": made.out()})
    report = build(made)
    report.comparisons = fleet.comparisons[:1] if compared else []
    assert words in "".join(Page(as_html.render(report)).texts)


def test_losses_stand_in_the_page(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    made.whole("web1", {"slow_open": made.out(record("slow_files", 9, "a", "/x", 2000000, 1), late_s=3.2)})
    made.whole("web2", {"slow_open": made.out(record("slow_files", 9, "a", "/x", 2000000, 1))})
    page = as_html.render(build(made))
    assert '<th scope="row">web1 *</th>' in page
    assert '<li class="loss">* web1: late 3.2 s</li>' in page
    marks = block(page)["probes"][0]["sessions"]["mark"]
    assert [marks["words"][place] for place in marks["of"]] == ["late 3.2 s", ""]
    assert "2 of 2 hosts probed (1 with losses)" in page


def test_a_probe_without_rows_says_what_that_means(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"])
    made.window()
    made.preflight("web1", verdict="refused", reason="old", remedy="")
    made.preflight("web2", verdict="refused", reason="old", remedy="")
    assert "No host sampled it, so nothing is known." in as_html.render(build(made))
    made.whole("web1", {"slow_open": made.out()})
    assert "No rows: nothing of the kind was seen in the window." in as_html.render(build(made))
    made.whole("web2", {"slow_open": made.out(late_s=5)})
    assert "No rows; but some hosts have losses, see coverage." in as_html.render(build(made))


def test_the_top_of_a_table_has_the_columns_and_totals_of_the_document(fleet: Report) -> None:
    """Text, Markdown and the page print one model of grids; without script its totals read, too."""
    probe = fleet.probes[1]
    (grid, *_) = tables.table_grids(probe, probe.tables[0], DisplayLimits())
    page = as_html.render(fleet)
    start = page.index('<div class="table" id="p2t1"')
    shown = "".join(Page(page[start : page.index("</figure>", start)] + "</figure></div>").texts)
    for head in grid.heads[1:]:
        assert head.title in shown
    label, row = grid.foot[-1]
    assert label.text + (" *" if label.mark else "") + "".join(cell.text for cell in row) in shown


def test_coverage_says_how_late_a_host_was(fleet: Report) -> None:
    """As the script's own table does."""
    page = as_html.render(fleet)
    coverage = page[page.index('<section id="coverage">') : page.index('<section id="p1"')]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)<', coverage)
    assert heads == [
        *("Host", "Status", "Kernel", "Clock offset", "Late", "Early", "Losses and reasons", "What to do")
    ]
    assert '<td class="n">3.2 s</td>' in coverage


@pytest.mark.parametrize(
    ("statuses", "severity", "tone"),
    [
        (["probed"], "", "good"),
        (["probed", "gone"], "", "mixed"),
        (["gone"], "", "bad"),
        (["probed"], "info", "plain"),
        (["probed"], "warning", "mixed"),
        (["probed"], "critical", "bad"),
    ],
)
def test_the_tone_of_the_banner(tmp_path: Path, statuses: list[str], severity: Any, tone: str) -> None:
    made = Builder(tmp_path, [f"web{n}" for n in range(len(statuses))])
    made.window()
    for host, status in zip(made.hosts, statuses, strict=True):
        if status == "probed":
            made.whole(host, {"slow_open": made.out()})
    report = build(made)
    if severity:
        report.findings.append(Finding(severity, "check", "web0", "slow_open", "slow_files", "opens", "!", 1))
    assert f'<header class="{tone}">' in as_html.render(report)


def test_coverage_of_a_large_fleet_names_those_with_trouble(tmp_path: Path) -> None:
    made = Builder(tmp_path, [f"web{n:03}" for n in range(60)])
    made.window()
    for host in made.hosts:
        if host == "web031":
            made.preflight(host, verdict="refused", reason="too old", remedy="update it")
        else:
            made.whole(host, {"slow_open": made.out()})
    page = as_html.render(build(made))
    text = "".join(Page(page).texts)
    assert "too old" in text
    assert "59 more hosts; all are in report.json" in text
    assert len(block(page)["hosts"]["name"]) == 60


# --- the data block ---


def test_same_run_same_page(tmp_path: Path) -> None:
    made = pagedirs.fleet(tmp_path, 5, 2)
    first = as_html.render(reports.build(made.path, generated="one"))
    assert as_html.render(reports.build(made.path, generated="one")) == first
    other = as_html.render(reports.build(made.path, generated="two"))
    assert other.replace("Made two", "Made one") == first


def test_a_large_fleet_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "ROWS_ROOM", 100_000)
    made = Builder(tmp_path, [f"web{n:03}" for n in range(60)])
    made.window()
    many = [record("slow_files", 9, f"process{n}", f"/srv/data/{n}", 2000000 + n, 1) for n in range(100)]
    out = made.out(*many)
    for host in made.hosts:
        made.whole(host, {"slow_open": out})
    page = as_html.render(build(made))
    assert page.count("<tr>") < 100
    data = block(page)["probes"][0]["tables"][0]
    assert 200 <= len(data["rows"]) < data["allRows"] == 6000
    assert len(json.dumps(data["rows"])) < 130_000
    assert {row[0] for row in data["rows"]} == set(range(60))  # each host has its worst rows there


def test_rows_that_findings_point_at_are_there_whatever_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "ROWS_ROOM", 0)
    made = Builder(tmp_path, ["web1"])
    made.window()
    many = [record("slow_files", 9, f"process{n}", "/x", 9_000_000 - n, 1) for n in range(1000)]
    made.whole("web1", {"slow_open": made.out(*many)})
    report = build(made)
    last = report.probes[0].tables[0].rows()[-1]
    report.findings = [
        Finding(
            "warning", "check", "web1", "slow_open", "slow_files", "seconds", "!", 1,
            rows=((last.host, last.key, last.values),),
        )
    ]  # fmt: skip
    data = block(as_html.render(report))
    rows = data["probes"][0]["tables"][0]["rows"]
    assert len(rows) == 201
    assert rows[-1][1:3] == list(last.key)
    assert data["findings"][0]["keys"] == [list(last.key)]


def test_totals_and_series_are_whole(fleet: Report) -> None:
    traffic = block(as_html.render(fleet))["probes"][1]["tables"][0]
    merged = fleet.probes[1].tables[0]
    assert merged.total is not None
    assert traffic["total"] == list(merged.total.values)
    assert len(traffic["hosts"]) == 11
    (view,) = traffic["views"]
    assert (view["kind"], view["step"], view["first"], view["last"]) == ("series", 5, 1, 6)
    assert len(view["lines"]) == 11
    assert len(view["bands"]) == 3
    sums = {line[0]: sum(line[1:]) for line in view["lines"]}
    assert sums == {row[0]: row[5] for row in traffic["hosts"]}


def test_histograms_have_their_empty_buckets_and_count_every_group(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2"], ["latency"], manifests=pagedirs.manifests())
    made.window()
    for host, device in (("web1", "vda"), ("web2", "vdb")):
        rows = [
            record("requests", 5000, device, bound, count) for bound, count in ((16, 3), (128, 5), (0, 1))
        ]
        made.whole(host, {"latency": made.out(*rows)})
    first, second = block(as_html.render(build(made)))["probes"][0]["tables"][0]["views"]
    assert first["bucket"]["bounds"] == [0, 1.6e-05, 3.2e-05, 6.4e-05, 0.000128]
    assert first["groups"] == ["vda", "vdb"]
    assert first["fleet"] == [0, 1, 1, 3, 4, 5, 5, 1, 6, 3, 9, 5]
    assert first["hosts"] == [[0, 0, 1, 1, 3, 4, 5], [1, 5, 1, 6, 3, 9, 5]]
    assert second["like"] == 0
    assert second["times"] == [[1, *first["fleet"]]]


def test_the_others_median_of_every_function_can_be_told(fleet: Report) -> None:
    (tree,) = block(as_html.render(fleet))["probes"][5]["calls"]
    names = [tree["functions"][place] for place in tree["function"]]
    at = names.index("ext4_read_dirblock")
    totals = sorted(
        node.total_us
        for calls in fleet.probes[5].calls
        for found in calls.trees
        for node in found.nodes
        if node.path[-1] == "ext4_read_dirblock"
    )
    assert tree["middle"][at] == [11, *totals[4:7]]
    assert tree["pace"][at] == [11, *(total / 20 for total in totals[4:7])]
    assert [len(row) for row in tree["hosts"]] == [1 + 5 * len(names)] * 11


def test_the_map_keeps_what_tells_the_most(fleet: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAP_ROOM", 0)
    dull = dataclasses.replace(fleet.comparisons[2], found=(), scores={}, label="dull")
    fleet.comparisons[:0] = [dull] * 20
    data = block(as_html.render(fleet))["map"]
    assert len(data["lines"]) == 8
    assert data["more"] == 16
    assert [line["label"] for line in data["lines"][-4:]] == [
        "seconds",
        "sent bytes",
        "write bytes",
        "failed calls",
    ]


def test_printed_lines_of_every_kind_of_output(tmp_path: Path) -> None:
    page = as_html.render(build(rundirs.hostile(tmp_path)))
    for probe in block(page)["probes"]:
        if probe["name"] == "nettop":
            assert probe["lines"] == []
            continue
        (printed,) = probe["lines"]
        assert block(page)["hosts"]["name"][printed["host"]] == "web1"
        assert printed["lines"]
        assert not any(rundirs.NONCE in line for line in printed["lines"][:5])
        assert ("total" in printed) == (probe["name"] == "notes")


def test_texts_of_hosts_are_merged_by_time(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2", "web3"], ["notes"])
    made.window()
    for host in made.hosts:
        made.whole(host, {"notes": made.out(payload="first\nsecond\n" if host != "web3" else "")})
    report = build(made)
    for item, times in zip(report.probes[0].texts, ([100, 3000], [200, 400], []), strict=True):
        item.times, item.timed = list(times), "own" if times else ""
    page = as_html.render(report)
    text = "".join(Page(page).texts)
    rows = ["web10.100 sfirst", "web20.200 sfirst", "web20.400 ssecond", "web13.000 ssecond"]
    places = [text.index(row) for row in rows]
    assert places == sorted(places)
    lines = block(page)["probes"][0]["lines"]
    assert [item["times"] for item in lines] == [[100, 3000], [200, 400]]


@pytest.mark.parametrize(
    ("value", "packed"),
    [(2**53, 2**53), (2**63, str(2**63)), (True, True), ("x" * 400, "x" * 299 + "…"), (1 / 3, 0.33333333)],
)
def test_keys_stay_what_they_are(value: Any, packed: Any) -> None:
    assert pack.key(value) == packed
