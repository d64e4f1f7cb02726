#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a picture of each probe's part of the report, from its sample: probe_pictures.py FOLDER. Takes Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src"), str(ROOT / "tests/support")]

import chromium  # noqa: E402
import rundirs  # noqa: E402

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports  # noqa: E402
from fleetdiag.probes import folder_check, listing  # noqa: E402

HOSTS = ["web1", "web2", "web3"]
WIDTH, HEIGHT = 1100, 900


def page(probe: Probe, folder: Path) -> Path:
    """Return the page of a sweep in which each of three hosts said what the sample says."""
    assert probe.folder is not None
    sample, window_s = replayed((probe.folder / folder_check.SAMPLE).read_text(encoding="utf-8"))
    manifests = {probe.name: dict(probe.manifest)}
    made = rundirs.Builder(folder / probe.name, HOSTS, [probe.name], window_s=window_s, manifests=manifests)
    made.window()
    made.build()
    for host in HOSTS:
        made.whole(host, {probe.name: sample.encode()})
    path = folder / f"{probe.name}.html"
    report = reports.build(made.path, generated="2026-11-23T08:01:00+00:00")
    path.write_text(as_html.render(report), encoding="utf-8")
    return path


def replayed(sample: str) -> tuple[str, float]:
    """Return a recorded output as if it came from the window of `rundirs`, and the seconds of that window."""
    lines = [line.split("\t") for line in sample.splitlines()]
    times = {fields[2]: int(fields[4]) for fields in lines if fields[2:3] in (["@start"], ["@end"])}
    later = round(rundirs.START * 1000) - times["@start"]
    for fields in lines:
        if fields[2:3] in (["@armed"], ["@start"], ["@end"]):
            fields[4] = str(int(fields[4]) + later)
    return "".join("\t".join(fields) + "\n" for fields in lines), (times["@end"] - times["@start"]) / 1000


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    probes, faults = listing.load_all([catalog.shipped()])
    if faults:
        raise SystemExit("\n".join(faults))
    with (
        tempfile.TemporaryDirectory() as pages,
        chromium.opened(WIDTH, HEIGHT) as browser,
    ):
        for probe in probes:
            browser.get(page(probe, Path(pages)).as_uri())
            part = browser.find_element(By.CSS_SELECTOR, "section.probe")
            browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", part)
            browser.save_screenshot(str(folder / f"{probe.name}.png"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
