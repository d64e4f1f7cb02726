# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium without a window, for pages that are opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

LACKING = "needs the Debian packages chromium and chromium-driver: make packages"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1"
)


def found() -> bool:
    """Return whether Chromium and its driver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def opened(width: int = 1280, height: int = 1000, *, logs: bool = False) -> Iterator[webdriver.Chrome]:
    """Yield a browser with a profile of its own, of a window of so many pixels; it is closed at the end.

    logs: it keeps what `get_log("browser")` and `get_log("performance")` return.
    """
    if not found():
        raise SystemExit(LACKING)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS.split(), f"--window-size={width},{height}"):
        options.add_argument(flag)
    if logs:
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()
