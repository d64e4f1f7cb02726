# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html in Debian's Chromium: opens from disk without a word on the console, hostile names stay names,
tables sort and filter. FLEETDIAG_SCREENSHOTS=DIR keeps pictures of both themes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import report as reports

HELPERS = Path(__file__).resolve().parents[1] / "unit" / "plugin_utils" / "rundirs.py"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1280,1000"
)


def _rundirs() -> Any:
    spec = importlib.util.spec_from_file_location("rundirs_of_the_page", HELPERS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


rundirs = _rundirs()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs the Debian packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


def open_page(browser: webdriver.Chrome, made: Any, theme: str = "light") -> None:
    reports.write(made.path, reports.build(made.path, generated="2026-11-23T08:01:00+00:00"))
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    media = [
        {"name": "prefers-color-scheme", "value": theme},
        {"name": "prefers-reduced-motion", "value": "reduce"},  # a page that still scrolls cannot be clicked
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.get(f"file://{made.path / 'report.html'}")


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Two probes on four hosts, one of them late, one refused."""
    run = rundirs.Builder(tmp_path, ["web1", "web2", "web3", "old1"], ["slow_open", "nettop"])
    run.window()
    run.build()
    for place, host in enumerate(run.hosts[:3]):
        slow = rundirs.record("slow_files", 9000, "httpd", f"/srv/{host}.html", (place + 1) * 1_500_000, 1)
        traffic = [
            rundirs.record("traffic", n * 5000, name, "ens3", n, n * 1000 * (place + 1))
            for n in range(1, 7)
            for name in ("sshd", "nginx", "backup")
        ]
        late = 3.2 if host == "web2" else 0.0
        run.whole(host, {"slow_open": run.out(slow, late_s=late), "nettop": run.out(*traffic)})
    run.preflight("old1", verdict="refused", reason="staprun 4.8 is too old", remedy="install 5.6")
    return run


def column(table: WebElement, place: int) -> list[str]:
    rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
    return [row.find_elements(By.XPATH, "./*")[place].text for row in rows if row.is_displayed()]


def click(browser: webdriver.Chrome, table: WebElement, place: int) -> None:
    """The head of a column, brought from under the bar that stays on top."""
    button = table.find_elements(By.CSS_SELECTOR, "thead button")[place]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def assert_quiet(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert asked <= {"about:blank", browser.current_url.partition("#")[0]}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_opens_without_a_word_or_a_request(browser: webdriver.Chrome, made: Any, theme: str) -> None:
    open_page(browser, made, theme)
    assert_quiet(browser)
    assert browser.find_element(By.TAG_NAME, "h1").text == "3 of 4 hosts probed (1 with losses), 1 refused"
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(part) for part in re.findall(r"\d+", background)[:3]) > 3 * 128
    assert light == (theme == "light")
    if folder := os.environ.get("FLEETDIAG_SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder) / f"report-{theme}.png"))


def test_hostile_names_are_inert(browser: webdriver.Chrome, tmp_path: Path) -> None:
    run = rundirs.hostile(tmp_path)
    open_page(browser, run)
    assert_quiet(browser)
    for tag, count in (("script", 1), ("style", 1), ("img", 0), ("link", 0), ("iframe", 0), ("b", 0)):
        assert len(browser.find_elements(By.TAG_NAME, tag)) == count
    handlers = browser.execute_script(
        "return [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
        ".filter(a => a.name.startsWith('on')).length"
    )
    assert handlers == 0
    table = browser.find_element(By.CSS_SELECTOR, "#probe-1-table-1 table")
    processes = column(table, 1)
    assert "</script><script>alert(1)</script>" in processes
    assert '"><img src=x onerror=alert(2)>' in processes
    hosts = column(browser.find_element(By.CSS_SELECTOR, "#coverage table"), 0)
    assert len(hosts) == len(run.hosts)
    assert "</script><script>alert(1)</script>" in hosts


def test_sorting(browser: webdriver.Chrome, made: Any) -> None:
    open_page(browser, made)
    table = browser.find_element(By.CSS_SELECTOR, "#probe-1-table-1 table")
    assert column(table, 3) == ["4.500000", "3.000000", "1.500000"]
    click(browser, table, 3)
    assert column(table, 3) == ["4.500000", "3.000000", "1.500000"]
    click(browser, table, 3)
    assert column(table, 3) == ["1.500000", "3.000000", "4.500000"]
    assert table.find_elements(By.CSS_SELECTOR, "thead th")[3].get_attribute("aria-sort") == "ascending"
    click(browser, table, 0)
    assert column(table, 0) == ["web1", "web2 *", "web3"]
    assert table.find_elements(By.CSS_SELECTOR, "thead th")[3].get_attribute("aria-sort") is None
    assert_quiet(browser)


def test_sorting_by_size_and_not_by_its_text(browser: webdriver.Chrome, made: Any) -> None:
    open_page(browser, made)
    table = browser.find_element(By.CSS_SELECTOR, "#probe-2-table-1 table")
    click(browser, table, 4)
    assert column(table, 0)[0] == "web3"
    assert column(table, 4)[0] == "61.5 KiB"
    # What is not known stays at the end either way.
    coverage = browser.find_element(By.CSS_SELECTOR, "#coverage table")
    click(browser, coverage, 4)
    assert column(coverage, 4) == ["3.2 s", "0.0 s", "0.0 s", "-"]
    click(browser, coverage, 4)
    assert column(coverage, 4) == ["0.0 s", "0.0 s", "3.2 s", "-"]


def test_filtering(browser: webdriver.Chrome, made: Any) -> None:
    open_page(browser, made)
    figure = browser.find_element(By.ID, "probe-2-table-1")
    box = figure.find_element(By.CSS_SELECTOR, "input[type=search]")
    box.send_keys("WEB2 ssh")
    table = figure.find_element(By.TAG_NAME, "table")
    assert column(table, 1) == ["sshd"]
    assert figure.find_element(By.CSS_SELECTOR, "[role=status]").text == "1 of 9 rows"
    box.clear()
    box.send_keys(" ")
    assert len(column(table, 1)) == 9
    assert_quiet(browser)


def test_complete_without_its_script(browser: webdriver.Chrome, made: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, made)
        assert browser.find_elements(By.CSS_SELECTOR, "thead button, input") == []
        assert len(browser.find_elements(By.CSS_SELECTOR, "#probe-2-table-1 tbody tr")) == 9
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_losses_stand_beside_the_figures(browser: webdriver.Chrome, made: Any) -> None:
    open_page(browser, made)
    mark = browser.find_element(By.CSS_SELECTOR, "#probe-1-table-1 tbody .mark")
    assert mark.get_attribute("title") == "late 3.2 s"
    assert browser.find_element(By.CSS_SELECTOR, "#probe-1-table-1 .loss").text == "* web2: late 3.2 s"


def test_narrow_screens_scroll_the_table_and_not_the_page(browser: webdriver.Chrome, made: Any) -> None:
    browser.set_window_size(500, 900)
    try:
        open_page(browser, made)
        wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0
    finally:
        browser.set_window_size(1280, 1000)
