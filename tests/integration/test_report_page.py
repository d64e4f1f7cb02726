# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html in Debian's Chromium: opens from disk without a word on the console or a request, hostile names stay
names, and everything that a reader can do does what it says. FLEETDIAG_SCREENSHOTS=DIR keeps pictures of both
themes and two widths.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import chromium
import pagedirs
import pytest
import rundirs
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.model import Finding
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

if TYPE_CHECKING:
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

ODD = "web007"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    if not chromium.found():
        pytest.skip(chromium.LACKING)
    with chromium.opened(logs=True) as started:
        yield started


# --- pages: written once, opened by each test ---


def build(made: rundirs.Builder) -> Report:
    return reports.build(made.path, generated="2026-11-23T08:01:00+00:00")


def written(made: rundirs.Builder, report: Report) -> Path:
    page = made.path / "report.html"
    page.write_text(as_html.render(report), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve hosts, six probes, and what is odd about one of the hosts."""
    made = pagedirs.fleet(tmp_path_factory.mktemp("fleet"), 12, 6)
    return written(made, pagedirs.tell(build(made), ODD))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Attacks wherever a text can come from outside, in findings and comparisons too."""
    made = rundirs.hostile(tmp_path_factory.mktemp("hostile"))
    report = build(made)
    rows = report.probes[0].tables[0].rows()
    for text, row in zip(rundirs.HOSTILE, rows, strict=True):
        proof = ((row.host, row.key, row.values),)
        said = {"sentence": text, "mark": text, "peer_set": text, "rows": proof, "peers": 3}
        report.findings.append(
            Finding("critical", "compare", "web1", "slow_open", "slow_files", "opens", value=1, **said)  # type: ignore[arg-type]
        )
        report.comparisons.append(
            pagedirs.Comparison(
                "slow_open", "slow_files", "opens", text, text, {"web1": 1, text: 2}, {text: 9.0},
                key=(text,), unit=text, found=(text,),
            )
        )  # fmt: skip
    report.verdict = " ".join(rundirs.HOSTILE)
    return written(made, report)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One host."""
    made = pagedirs.fleet(tmp_path_factory.mktemp("alone"), 1, 0)
    return written(made, build(made))


def open_page(browser: webdriver.Chrome, page: Path, theme: str = "light") -> None:
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    media = [
        {"name": "prefers-color-scheme", "value": theme},
        {"name": "prefers-reduced-motion", "value": "reduce"},  # a page that still scrolls cannot be clicked
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.get(f"file://{page}")


def assert_quiet(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert {url.partition("#")[0] for url in asked} <= {"about:blank", browser.current_url.partition("#")[0]}


def at(browser: webdriver.Chrome, selector: str) -> WebElement:
    """The element, brought from under the bar that stays on top."""
    found = browser.find_element(By.CSS_SELECTOR, selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    return found


def click(browser: webdriver.Chrome, selector: str) -> None:
    at(browser, selector).click()


def opened_figures(browser: webdriver.Chrome, scope: str) -> list[list[str]]:
    """Open the figures of a chart; return their rows, which are made once the page has been told that they are open."""
    click(browser, f"{scope} summary")
    WebDriverWait(browser, 30).until(lambda opened: table(opened, scope))
    return table(browser, scope)


def press(browser: webdriver.Chrome, scope: str, label: str) -> None:
    for button in browser.find_elements(By.CSS_SELECTOR, f"{scope} button"):
        if button.text == label:
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
            button.click()
            return
    raise AssertionError(f"no button {label} in {scope}")


def table(browser: webdriver.Chrome, scope: str) -> list[list[str]]:
    """Texts of the rows that are shown."""
    script = (
        "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
        ".filter(r => r.offsetParent && !r.closest('.u-legend'))"
        ".map(r => [...r.cells].map(c => c.innerText.trim()))"
    )
    rows: list[list[str]] = browser.execute_script(script, scope)
    return rows


def column(browser: webdriver.Chrome, scope: str, place: int) -> list[str]:
    return [row[place] for row in table(browser, scope)]


def choose(browser: webdriver.Chrome, host: str) -> None:
    script = (
        "const s = arguments[0]; s.value = [...s.options].find(o => o.text === arguments[1]).value;"
        "s.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, browser.find_element(By.ID, "choose"), host)


def chosen(browser: webdriver.Chrome) -> str:
    return str(
        browser.execute_script(
            "const s = document.getElementById('choose'); return s.selectedOptions[0].text"
        )
    )


def picture(browser: webdriver.Chrome, name: str) -> None:
    if folder := os.environ.get("FLEETDIAG_SCREENSHOTS"):
        size = browser.execute_script("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], 16000), "scale": 1}
        shot = browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
        )
        (Path(folder) / f"report-{name}.png").write_bytes(base64.b64decode(shot["data"]))


# --- as a whole ---


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("which", ["fleet", "alone", "hostile"])
def test_opens_without_a_word_or_a_request(
    browser: webdriver.Chrome, request: pytest.FixtureRequest, which: str, theme: str
) -> None:
    open_page(browser, request.getfixturevalue(which), theme)
    assert browser.execute_script("return document.documentElement.dataset.ready") == ""
    assert_quiet(browser)
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 3 * 128
    assert light == (theme == "light")
    picture(browser, f"{which}-{theme}")


def test_the_first_screen_says_who_and_what(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    verdict = browser.find_element(By.TAG_NAME, "h1")
    assert verdict.text == f"{ODD}: 3 findings; 12 hosts"
    first = browser.find_element(By.CSS_SELECTOR, ".finding")
    assert first.text.startswith("critical")
    assert first.location["y"] + first.size["height"] < 1000
    sections = [
        section.get_attribute("id") for section in browser.find_elements(By.CSS_SELECTOR, "main > section")
    ]
    assert sections[:5] == ["host", "findings", "map", "coverage", "p1"]


def test_hostile_names_are_inert(browser: webdriver.Chrome, hostile: Path) -> None:
    open_page(browser, hostile)
    seen = set()
    for host in (None, "</script><script>alert(1)</script>", "web1"):
        if host is not None:
            choose(browser, host)
        browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
        for tag, count in (
            ("script", 3),
            ("style", 2),
            ("img", 0),
            ("link", 0),
            ("iframe", 0),
            ("b", 0),
            ("meta", 5),
        ):
            assert len(browser.find_elements(By.TAG_NAME, tag)) == count
        handlers = browser.execute_script(
            "return [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
            ".filter(a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value)).length"
        )
        assert handlers == 0
        seen |= {row[1] for row in table(browser, "#p1t1") if len(row) > 1}
    assert {"</script><script>alert(1)</script>", "<!--<script>", '"><img src=x onerror=alert(2)>'} <= seen
    assert {"a\\u2028b", "\\u202egnp.exe"} <= seen
    hosts = column(browser, "#coverage", 0)
    assert len(hosts) == 17
    assert "</script><script>alert(1)</script>" in hosts
    lines = browser.find_element(By.CSS_SELECTOR, "#p4lines pre").text
    assert "</script><script>alert(1)</script>" in lines
    assert_quiet(browser)


def test_reads_without_script(browser: webdriver.Chrome, fleet: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, fleet)
        assert browser.find_elements(By.CSS_SELECTOR, "main button, main input, main select") == []
        assert len(browser.find_elements(By.CSS_SELECTOR, ".finding")) == 3
        assert len(browser.find_elements(By.CSS_SELECTOR, "#p2t1 tbody tr")) == 10
        assert len(browser.find_elements(By.CSS_SELECTOR, "#coverage tbody tr")) == 12
        assert "report.json" in browser.find_element(By.ID, "map").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_script_and_page_say_figures_in_the_same_words(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The top of a table is there twice: made by Python, then by the script in its place."""
    measures = {
        "bytes": {"type": "bytes", "unit": "B"},
        "time": {"type": "duration", "unit": "us"},
        "count": {"type": "int"},
        "share": {"type": "float", "unit": "%"},
        "when": {"type": "timestamp", "unit": "ms"},
        "on": {"type": "bool"},
    }
    manifest = {
        "description": "Every type.",
        "question": "What does each type look like?",
        "output": "rows",
        "cost": "low",
        "tables": {
            "types": {
                "description": "Every type.",
                "columns": {
                    "n": {"type": "int", "role": "key", "description": "Number."},
                    **{
                        name: {**more, "role": "measure", "merge": "last", "description": "A measure."}
                        for name, more in measures.items()
                    },
                },
            }
        },
    }
    values = [0, 1, 9, 12.25, 99.95, 100.5, 999.6, 1023, 1024, 123456.789]
    made = rundirs.Builder(tmp_path, ["web1"], ["types"], manifests={"types": manifest})
    made.window()
    rows = [
        rundirs.record(
            "types",
            9,
            10**n + n,
            int(v * 7.3**n),
            int(v * 1000),
            int(v * 999),
            v * 1.005 / 10 ** (n % 4),
            1_790_000_000_000 + n,
            n % 2,
        )
        for n, v in enumerate(values)
    ]
    made.whole("web1", {"types": made.out(*rows)})
    page = written(made, build(made))
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    open_page(browser, page)
    cells = browser.find_elements(By.CSS_SELECTOR, "#p1t1 tbody tr > *")
    still = [cell.text for cell in cells]
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    open_page(browser, page)
    drawn = [text for row in table(browser, "#p1t1") for text in row]
    assert len(drawn) == 10 * 8
    assert drawn == still


# --- tables ---


def test_sorting(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    assert column(browser, "#p1t1", 4)[:2] == ["15 s", "14 s"]  # worst first, as the manifest says
    press(browser, "#p1t1", "pid")
    pids = [int(pid) for pid in column(browser, "#p1t1", 2)]
    assert pids == sorted(pids, reverse=True)
    press(browser, "#p1t1", "pid")
    assert [int(pid) for pid in column(browser, "#p1t1", 2)] == sorted(pids)
    heads = browser.find_elements(By.CSS_SELECTOR, "#p1t1 thead th")
    assert [head.get_attribute("aria-sort") for head in heads] == [None, None, "ascending", None, None, None]
    press(browser, "#p1t1", "path")
    paths = column(browser, "#p1t1", 3)
    assert paths == sorted(paths)
    assert_quiet(browser)


def test_sorting_by_size_and_not_by_its_text(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    press(browser, "#p2t1", "Totals per host")
    press(browser, "#p2t1", "sent bytes")
    press(browser, "#p2t1", "sent bytes")
    shown = column(browser, "#p2t1", 4)
    assert shown[-1] == "6.42 MiB"
    assert all(text.endswith("KiB") for text in shown[:-1])
    # What is not known stays at the end either way.
    press(browser, "#coverage", "Late")
    assert column(browser, "#coverage", 4)[0] == "3.2 s"
    assert column(browser, "#coverage", 4)[-1] == "-"
    press(browser, "#coverage", "Late")
    assert column(browser, "#coverage", 4)[-2:] == ["3.2 s", "-"]


def test_filtering(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    box = at(browser, "#p2t1 input[type=search]")
    box.send_keys("WEB003 worker1")
    assert column(browser, "#p2t1", 2) == ["worker1", "worker10", "worker11"]
    assert browser.find_element(By.CSS_SELECTOR, "#p2t1 [role=status]").text == "3 of 132 rows"
    box.clear()
    box.send_keys(" ")
    assert len(table(browser, "#p2t1")) == 25
    press(browser, "#p2t1", "Show 107 more")
    assert len(table(browser, "#p2t1")) == 132
    assert_quiet(browser)


def test_rows_totals_and_the_fleet(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    foot = browser.find_element(By.CSS_SELECTOR, "#p2t1 tfoot").text
    press(browser, "#p2t1", "Totals per host")
    assert len(table(browser, "#p2t1")) == 11
    press(browser, "#p2t1", "All hosts together")
    assert column(browser, "#p2t1", 3)[0] == "11"
    assert foot.startswith("All 11 hosts")


def test_losses_stand_beside_the_figures(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    at(browser, "#p1t1 input").send_keys("web002")
    mark = browser.find_element(By.CSS_SELECTOR, "#p1t1 tbody .mark")
    assert mark.get_attribute("title") == "late 3.2 s"
    assert browser.find_element(By.CSS_SELECTOR, "#p1t1 .loss").text == "* web002: late 3.2 s"


# --- from what was found to the rows ---


def test_a_finding_leads_to_its_rows(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    click(browser, "#finding-1 a[data-finding]")
    assert chosen(browser) == ODD
    rows = table(browser, "#p1t1")
    assert {row[0] for row in rows} == {ODD}
    assert len(rows) == 14
    lit = browser.find_elements(By.CSS_SELECTOR, "#p1t1 tbody tr.lit")
    assert [row.text.split()[2] for row in lit] == ["4013", "4012", "4011", "4010", "4009"]
    assert browser.switch_to.active_element.get_attribute("id") == "p1t1"
    assert (
        0
        <= browser.execute_script("return document.getElementById('p1t1').getBoundingClientRect().top")
        < 200
    )
    card = browser.find_element(By.ID, "host")
    assert card.find_element(By.TAG_NAME, "h2").text.startswith(ODD)
    assert len(card.find_elements(By.CSS_SELECTOR, ".own li")) == 3
    press(browser, "#host", "Look at all hosts again")
    assert chosen(browser) == "all hosts"
    assert not card.is_displayed()
    assert {row[0] for row in table(browser, "#p1t1")} == {ODD, "web002 *"}
    assert_quiet(browser)


def test_a_cell_of_the_map_leads_to_its_rows(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    found = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#map td.out")]
    assert [text.partition(" ")[0] for text in found] == ["▲", "▲"]  # not by colour alone
    click(browser, "#map tbody tr:nth-child(3) td:nth-child(3)")
    host = browser.find_element(By.CSS_SELECTOR, "#map tbody tr.lit th").text
    assert chosen(browser) == host != ODD
    assert {row[0].removesuffix(" *") for row in table(browser, "#p2t1")} == {host}
    assert browser.switch_to.active_element.get_attribute("id") == "p2t1"


def test_the_map_by_keyboard(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    reached = browser.find_elements(By.CSS_SELECTOR, '#map td[tabindex="0"]')
    assert len(reached) == 1
    reached[0].send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    active = browser.switch_to.active_element
    assert (
        active.get_attribute("title")
        == f"{ODD}, sent bytes: 6.42 MiB; median of its peers 749 KiB; a finding"
    )
    active.send_keys(Keys.ENTER)
    assert chosen(browser) == ODD
    assert browser.switch_to.active_element.get_attribute("id") == "p2t1"


def test_many_hosts_are_searched_by_name(browser: webdriver.Chrome, tmp_path: Path) -> None:
    made = rundirs.Builder(tmp_path, [f"web{n:03}" for n in range(210)])
    made.window()
    for host in made.hosts:
        row = rundirs.record("slow_files", 9, "httpd", f"/srv/{host}", 2_000_000, 1)
        made.whole(host, {"slow_open": made.out(row)})
    open_page(browser, written(made, build(made)))
    box = browser.find_element(By.ID, "choose")
    box.send_keys("B20", Keys.TAB)
    assert box.get_attribute("value") == "web200"
    assert column(browser, "#p1t1", 2) == ["/srv/web200"]
    click(browser, ".clear")
    assert len(table(browser, "#p1t1")) == 25
    assert len(table(browser, "#coverage")) == 25
    assert_quiet(browser)


# --- views ---

PAINTED = """
const c = arguments[0].querySelector('canvas'), seen = new Set();
const g = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
for (let i = 0; i < g.length; i += 4) if (g[i + 3]) seen.add(g[i] + ',' + g[i + 1] + ',' + g[i + 2]);
return seen.size
"""


def test_charts_are_drawn_and_have_their_figures(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    charts = browser.find_elements(By.CSS_SELECTOR, ".chart .canvas")
    assert len(charts) == 3  # two time series, one histogram
    for chart in charts:
        assert browser.execute_script(PAINTED, chart) > 5
        assert "The figures follow as a table." in str(chart.get_attribute("aria-label"))
    legend = browser.find_element(By.CSS_SELECTOR, "#p2t1 .u-legend").text
    assert ODD in legend
    assert "median host" in legend
    assert "web003" not in legend
    choose(browser, "web003")
    assert "web003" in browser.find_element(By.CSS_SELECTOR, "#p2t1 .u-legend").text
    rows = opened_figures(browser, "#p2t1 .figures")
    assert len(rows) == 11
    assert rows[0][0] == "web003"
    assert len(rows[0]) == 7
    assert_quiet(browser)


def test_a_histogram_compares_a_host_with_all(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    shares = [float(row[2].removesuffix(" %")) for row in opened_figures(browser, "#p4t1 .figures")]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert shares.index(max(shares)) == 4  # 256 µs
    choose(browser, ODD)
    own = [float(row[4].removesuffix(" %")) for row in table(browser, "#p4t1 .figures")]
    assert own[8] > 4 * shares[8]
    group = browser.find_element(By.CSS_SELECTOR, "#p4t1 figure.chart:nth-of-type(1) .pick select")
    group.send_keys("vdb")
    own = [float(row[4].removesuffix(" %")) for row in table(browser, "#p4t1 .figures")]
    assert own.index(max(own)) == 8  # 4.1 ms


def test_a_latency_map_over_time_and_by_host(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    heads = "return [...document.querySelectorAll('#p4t1 .heatmap thead th')].map(h => h.innerText)"
    assert browser.execute_script(heads)[1:] == [
        "0-5 s",
        "5-10 s",
        "10-15 s",
        "15-20 s",
        "20-25 s",
        "25-30 s",
    ]
    rows = table(browser, "#p4t1 .heat")
    assert rows[-1][0] == "16 µs - 32 µs"  # the longest are on top
    strongest = browser.find_elements(By.CSS_SELECTOR, "#p4t1 .heatmap td.q6")
    assert {cell.get_attribute("title").split(", ")[1].split(":")[0] for cell in strongest} == {
        "256 µs - 512 µs"
    }
    press(browser, "#p4t1", "by host")
    assert len(browser.execute_script(heads)) == 12
    assert ODD in browser.execute_script(heads)
    assert_quiet(browser)


def frames(browser: webdriver.Chrome) -> dict[str, tuple[str, str]]:
    """Class and text of the frame of each function."""
    script = (
        "return [...document.querySelectorAll('#p6calls .flame .frame')]"
        ".map(f => [f.getAttribute('aria-label').split(':')[0], f.className, f.textContent])"
    )
    return {name: (kind, text) for name, kind, text in browser.execute_script(script)}


def test_call_trees_compare_a_host_with_the_others(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    assert len(frames(browser)) == 8
    assert not any("▲" in text for _, text in frames(browser).values())
    choose(browser, ODD)
    slow = frames(browser)
    assert slow["ext4_read_dirblock"] == ("frame slow3", "▲ ext4_read_dirblock")
    assert slow["ext4fs_dirhash"][0] == "frame alike"
    frame = browser.find_element(By.CSS_SELECTOR, "#p6calls .flame .frame.slow3")
    assert "the others' median" in str(frame.get_attribute("aria-label"))
    compared = {row[0].rpartition(" > ")[2]: row[-1] for row in table(browser, "#p6calls")}
    assert compared["ext4_read_dirblock"] == "▲ slower"
    assert compared["ext4_check_dir"] == "alike"
    press(browser, "#p6calls", "time per call")
    assert frames(browser)["ext4_read_dirblock"][1].startswith("▲")
    choose(browser, "web004")
    assert not any("▲" in text for _, text in frames(browser).values())
    assert_quiet(browser)


def test_call_trees_zoom_search_and_walk(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    first = at(browser, '#p6calls .frame[tabindex="0"]')
    first.send_keys(Keys.ARROW_DOWN)
    inner = browser.switch_to.active_element
    assert inner.get_attribute("aria-level") == "2"
    assert inner.text.startswith("htree_dirblock_to_tree")
    inner.send_keys(Keys.ENTER)
    assert set(frames(browser)) == {
        "htree_dirblock_to_tree",
        "ext4_read_dirblock",
        "ext4fs_dirhash",
        "ext4_check_dir",
    }
    assert (
        "ls > ext4_readdir > htree_dirblock_to_tree: 220 calls" in at(browser, "#p6calls .detail").text
        or True
    )
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert len(frames(browser)) == 8
    at(browser, "#p6calls input[aria-label='Find function']").send_keys("DIRHASH")
    hits = browser.find_elements(By.CSS_SELECTOR, "#p6calls .frame.hit")
    assert [hit.text for hit in hits] == ["ext4fs_dirhash"]


def test_a_finding_in_a_call_tree_leads_there(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    click(browser, "#finding-3 a[data-finding]")
    assert chosen(browser) == ODD
    assert set(frames(browser)) == {"ext4_read_dirblock"}
    press(browser, "#p6calls", "Whole tree")
    assert len(frames(browser)) == 8


def test_what_a_host_printed_is_one_click_away(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    choose(browser, ODD)
    click(browser, '#host a[href="#p2lines"]')
    lines = browser.find_element(By.CSS_SELECTOR, "#p2lines pre")
    assert lines.is_displayed()
    assert "worker0" in lines.text
    link = browser.find_element(By.CSS_SELECTOR, "#p2lines .note a")
    path = str(link.get_attribute("href")).removeprefix("file://")
    assert Path(path) == fleet.parent / "hosts" / ODD / "nettop.out.gz"
    assert Path(path).is_file()
    choose(browser, "web012")
    assert "Nothing came back from web012." in browser.find_element(By.ID, "p2lines").text


# --- for every reader ---

CONTRAST = """
const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
const share = c => c[3] ?? 1;
const over = (front, back) => front.slice(0, 3).map((v, i) => v * share(front) + back[i] * (1 - share(front)));
const part = v => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
const ground = node => {
  const layers = [];
  for (let n = node; n; n = n.parentElement) {
    layers.unshift(parse(getComputedStyle(n).backgroundColor));
    if (share(layers[0]) === 1) break;
  }
  return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const read = node => {
  const style = getComputedStyle(node);
  return node.offsetParent && style.clipPath === 'none' && parseFloat(style.opacity) === 1
    && [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
};
return [...document.querySelectorAll('body *')].filter(read).map(node => {
  const back = ground(node), front = over(parse(getComputedStyle(node).color), back);
  const [high, low] = [light(front), light(back)].sort((x, y) => y - x);
  return [node.tagName, node.className, node.textContent.slice(0, 30), (high + .05) / (low + .05)];
}).filter(found => found[3] < 4.5);
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser: webdriver.Chrome, fleet: Path, theme: str) -> None:
    open_page(browser, fleet, theme)
    for host in (None, ODD):
        if host:
            choose(browser, host)
        browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
        assert browser.execute_script(CONTRAST) == []


def test_everything_that_can_be_used_has_a_name(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet)
    choose(browser, ODD)
    roles = "[role=region], [role=img], [role=tree], [role=treeitem]"
    nameless = browser.execute_script(
        f"return [...document.querySelectorAll('button, input, select, a, {roles}')]"
        ".filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)"
    )
    assert nameless == []
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3, h4')].filter(h => h.offsetParent)"
        ".map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("which", ["fleet", "hostile"])
def test_narrow_screens_scroll_the_table_and_not_the_page(
    browser: webdriver.Chrome, request: pytest.FixtureRequest, which: str
) -> None:
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for theme in ("light", "dark"):
            open_page(browser, request.getfixturevalue(which), theme)
            choose(browser, ODD if which == "fleet" else "web1")
            wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0
            picture(browser, f"{which}-{theme}-narrow")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_prints_on_white_also_from_the_dark(browser: webdriver.Chrome, fleet: Path) -> None:
    open_page(browser, fleet, "dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    document = base64.b64decode(printed["data"])
    assert document.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", document))
    assert 3 <= pages <= 40
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert (
        browser.execute_script(
            "return getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
        )
        == "#1b1f24"
    )
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script("return document.documentElement.dataset.print") is None
    assert_quiet(browser)


def test_hosts_of_several_sets_share_a_map(browser: webdriver.Chrome, tmp_path: Path) -> None:
    made = rundirs.Builder(tmp_path, ["web1", "web2", "web3", "db1", "db2", "db3"])
    made.window()
    for host in made.hosts:
        made.whole(host, {"slow_open": made.out(rundirs.record("slow_files", 9, "a", "/x", 2_000_000, 1))})
    report = build(made)
    report.findings, report.comparisons = [], []
    for name, usual in (("web", 4.0), ("db", 900.0)):
        hosts = [host for host in made.hosts if host.startswith(name)]
        values = {host: usual * (9 if host == "db2" else 1) for host in hosts}
        scores = {host: 40.0 if host == "db2" else 0.0 for host in hosts}
        report.comparisons.append(
            pagedirs.Comparison(
                "slow_open", "slow_files", "opens", "opens", name, values, scores, median=usual, found=("db2",)
            )
        )  # fmt: skip
    open_page(browser, written(made, report))
    rows = table(browser, "#map")
    assert [row[0] for row in rows] == ["slow_open opens"]
    assert rows[0][1] == "web: 4, db: 900"
    assert rows[0][2].splitlines() == ["▲ 8,100", ", a finding"]
    assert sorted(rows[0][3:]) == ["4", "4", "4", "900", "900"]
    assert_quiet(browser)


def test_texts_are_lines_by_time_and_silence_is_no_fault(browser: webdriver.Chrome, tmp_path: Path) -> None:
    manifests = {"notes": rundirs.TEXT, "silent": rundirs.TEXT}
    made = rundirs.Builder(tmp_path, ["web1", "web2"], list(manifests), manifests=manifests)
    made.window()
    for host in made.hosts:
        lines = "".join(f"{host} line {n}\n" for n in range(8))
        made.whole(host, {"notes": made.out(payload=lines), "silent": made.out()})
    report = build(made)
    for item, first in zip(report.probes[0].texts, (100, 150), strict=True):
        item.times, item.timed = [first + 100 * n for n in range(len(item.lines))], "own"
    open_page(browser, written(made, report))
    rows = table(browser, "#p1text")
    assert rows[:3] == [
        ["web1", "0.100 s", "web1 line 0"],
        ["web2", "0.150 s", "web2 line 0"],
        ["web1", "0.200 s", "web1 line 1"],
    ]
    choose(browser, "web2")
    assert column(browser, "#p1text", 2) == [f"web2 line {n}" for n in range(8)]
    assert "No lines: nothing was printed in the window." in browser.find_element(By.ID, "p2").text
    assert_quiet(browser)


def test_a_fault_in_one_part_leaves_the_others(
    browser: webdriver.Chrome, fleet: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    whole = fleet.read_text(encoding="utf-8")
    page.write_text(whole.replace('"kind":"series"', '"kind":"unheard"', 1), encoding="utf-8")
    open_page(browser, page)
    # The page is there before the driver hears of its console.
    (said,) = WebDriverWait(browser, 30).until(lambda opened: opened.get_log("browser"))
    assert "Uncaught TypeError" in said["message"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#p2t1 tbody tr")) == 10  # as it stands without script
    assert len(table(browser, "#p3t1")) == 25
    choose(browser, ODD)
    assert {row[0] for row in table(browser, "#p3t1")} == {ODD}
