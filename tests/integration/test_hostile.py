# SPDX-License-Identifier: GPL-3.0-or-later
"""Section 5 of the research's test cases (D1-D6, P1-P7, R6) with real processes and files on a real kernel: names
that attack, swept, through every output format, the terminal and Chromium; and a secret that must not leave the host.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import chromium
import hostile
import pytest
from hostile import CANARY, FILES, NAMES
from selenium import webdriver
from selenium.webdriver.common.by import By
from sweeps import (
    ENVIRONMENT,
    ROOT,
    SWEPT,
    coverage,
    fleetdiag,
    left_behind,
    newest,
    probe,
    report_of,
    rows,
    wait_until,
)

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import plain
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_html
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("two minutes; unit tests have the same names")]

HOST = "web1"
PLACE = "/srv/hostile"
UNIT = "fleetdiag-test-hostile"

# Each child takes a name and, once a second, opens a file for 0.6 s, writes to it and sends a packet.
PLANT = r"""
use Socket;
my ($names, $files) = map { [map { pack "H*", $_ } split /,/, $_] } @ARGV[1, 2];
my $place = "PLACE/";
for my $i (0 .. ($#$names > $#$files ? $#$names : $#$files)) {
    next if fork;
    open my $comm, ">", "/proc/self/comm" or die; syswrite $comm, $names->[$i % @$names]; close $comm;
    socket my $socket, PF_INET, SOCK_DGRAM, 0 or die;
    my $name = $files->[$i % @$files];
    my $path = "$place$i";
    mkdir $path;
    for my $part (split m{/}, $name) { mkdir $path; $path .= "/$part" }
    while (1) {
        open my $file, "+>", $path or die "$path: $!";
        syswrite $file, "x" x 20000;
        send $socket, "x", 0, pack_sockaddr_in(9, inet_aton("127.0.0.1"));
        select undef, undef, undef, 0.6;
        close $file;
        select undef, undef, undef, 0.4;
    }
}
wait;
""".replace("PLACE", PLACE)

SCRIPT = f"""
probe fd.open
{{
  arguments = cmdline_str()
  if (isinstr(arguments, "{PLACE}/"))
    printf("%s\\t%s\\t%s\\t%s\\t1\\n", fd_row("commands"), fd_str(execname()), fd_str(arguments),
           fd_str(sprintf("API_KEY=%s", env_var("API_KEY"))))
}}
"""
MANIFEST = """
description: Command lines and one variable of the processes of a test.
question: What do they carry?
output: rows
cost: low
limits: {output_mb: 1, overload_percent: 50, string_length: 256}
tables:
  commands:
    description: One row for each file that one of them opens.
    sort: -opened
    columns:
      process: {type: string, role: key, description: Its name.}
      arguments: {type: string, role: key, description: Its command line.}
      environment: {type: string, role: key, description: A variable of its environment.}
      opened: {type: int, role: measure, merge: count, description: Files it opened.}
"""
PROBES = ("slow_open", "nettop", "disktop", "fs_calltrace", "argv")


class Swept(NamedTuple):
    """What the command printed, the run directory, the report, and where everything lies that it left anywhere."""

    said: bytes
    run: Path
    report: dict[str, Any]
    folder: Path


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    if not chromium.found():
        pytest.skip(chromium.LACKING)
    with chromium.opened(logs=True) as started:
        yield started


@pytest.fixture(scope="module")
def planted(lab: Lab) -> Iterator[None]:
    lists = [",".join(name.hex() for name in names) for names in (NAMES, FILES)]
    program = base64.b64encode(PLANT.encode()).decode()
    lab.ssh(
        HOST,
        f"mkdir -p {PLACE}; echo {program} | base64 -d >{PLACE}/p;"
        f"systemd-run -q --collect --unit={UNIT} -E API_KEY={CANARY}env"
        f" perl {PLACE}/p --password={CANARY}argv {lists[0]} {lists[1]}",
    )
    wait_until(
        lambda: int(lab.ssh(HOST, f"systemctl show -P TasksCurrent {UNIT}").stdout or 0) > len(NAMES),
        "the processes run",
        30,
    )
    yield
    lab.ssh(HOST, f"systemctl stop {UNIT}; rm -rf {PLACE}")


@pytest.fixture(scope="module")
def swept(lab: Lab, planted: None, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("hostile")
    catalog = folder / "catalog" / "argv"
    catalog.mkdir(parents=True)
    (catalog / "argv.stp").write_text(SCRIPT)
    (catalog / "probe.yml").write_text(MANIFEST)
    settings = ["slow_open.threshold_ms=200", "fs_calltrace.functions=ext4_file_open", "disktop.top_n=100"]
    command = [
        *(sys.executable, "-m", "fleetdiag", "sweep", "-vvv", "-i", str(lab.inventory), "-l", HOST),
        *("--runs-dir", str(folder / "runs"), "--catalog", str(folder / "catalog"), "--window", "6s"),
        *(word for name in PROBES for word in ("--probe", name)),
        *(word for setting in settings for word in ("--param", setting)),
    ]
    state, kept = folder / "state", folder / "kept"
    kept.mkdir()
    environment = {**ENVIRONMENT, "XDG_STATE_HOME": str(state)}
    with keeping(state, kept):
        done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-3000:].decode(errors="replace")
    run = newest(folder / "runs")
    return Swept(done.stdout + done.stderr, run, report_of(run), folder)


@pytest.fixture(scope="module")
def formats(swept: Swept) -> Path:
    """The same run directory in every format there is."""
    folder = swept.folder / "formats"
    done = fleetdiag("report", str(swept.run), "--format", "all", "-o", str(folder))
    assert done.returncode == 0, done.stderr
    hostile.assert_safe_text(done.stdout + done.stderr)
    return folder


@contextmanager
def keeping(folder: Path, kept: Path) -> Iterator[None]:
    """Keep every file that appears below a folder, also when it is removed: ansible-runner's own, the command's."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for path in folder.rglob("*"):
                with contextlib.suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        os.link(path, kept / f"{path.stat().st_ino}-{path.name}"[:200])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def shown(name: bytes) -> str:
    """A name as data of a report: without its secret."""
    return plain(name).replace(f"token={CANARY}", "token=***")


# --- the rows are right


@pytest.mark.parametrize("name", ["slow_open", "disktop", "nettop"])
def test_every_process_has_its_row_under_its_own_name(swept: Swept, name: str) -> None:
    assert {shown(name) for name in NAMES} <= {row["process"] for row in rows(swept.report, name)}


def test_call_traces_of_every_process_are_its_own(swept: Swept) -> None:
    (calls,) = probe(swept.report, "fs_calltrace")["calls"]
    seen = {tree["process"]: {node["path"][0] for node in tree["nodes"]} for tree in calls["trees"]}
    assert {shown(name) for name in NAMES} <= set(seen)
    assert set.union(*seen.values()) == {"ext4_file_open"}


def test_every_file_has_its_row_under_its_own_name(swept: Swept) -> None:
    paths = {row["path"] for row in rows(swept.report, "slow_open")}
    whole = [name for name in FILES if len(name) < 250 and CANARY.encode() not in name]
    for name in [*whole, b"x" * 255]:
        assert any(path.endswith("/" + plain(name)) for path in paths), name
    for name in FILES:  # what is longer than a string of the kernel's module is cut, and stays one field
        assert any(plain(name)[:40].replace(CANARY, "***")[:11] in path for path in paths), name


def test_no_name_forged_or_broke_a_row(swept: Swept) -> None:
    (row,) = swept.report["coverage"]
    assert row["status"] in SWEPT
    assert set(coverage(swept.report)) == {HOST}
    for name, session in row["sessions"].items():
        kinds = {loss["kind"] for loss in session["losses"]}
        assert not kinds & {"rejected_lines", "lost_records", "altered", "truncated"}, (name, session)


# --- R6


def test_r6_secrets_stay_on_the_host(swept: Swept, lab: Lab) -> None:
    """Argv, environment, a process name and a file name: swept, and only their names came back."""
    assert hostile.holding(CANARY, swept.folder) == []
    assert CANARY.encode() not in swept.said
    carried = rows(swept.report, "argv")
    assert {("--password=***" in row["arguments"], row["environment"]) for row in carried} == {
        (True, "API_KEY=***")
    }
    collect = json.loads((swept.run / "hosts" / HOST / "collect.json").read_text())
    assert collect["sessions"]["argv"]["redacted_lines"] >= len(carried)
    assert "token=***" in {row["process"] for row in carried}
    assert any(row["path"].endswith("/api_key=***") for row in rows(swept.report, "slow_open"))
    assert left_behind(lab, HOST) == ""


def test_r6_ansible_runners_files_were_looked_at(swept: Swept) -> None:
    kept = {path.name.partition("-")[2] for path in (swept.folder / "kept").iterdir()}
    assert {"stdout", "extravars"} <= kept


# --- D1 to D6


def test_d1_the_terminal_shows_names_and_does_nothing(swept: Swept) -> None:
    hostile.assert_safe_text(swept.said.decode())
    for name in ("\\x1b[2J\\x1b]0;pwn\\x07", "a\\x0dok: [web9]", "\\u202egnp.exe", "日本語"):
        assert name in swept.said.decode()


def test_d2_to_d6_every_format_holds_the_names_and_nothing_else(formats: Path) -> None:
    suffixes = hostile.assert_inert(formats)
    assert {".html", ".json", ".txt", ".md", ".csv", ".sqlite"} <= suffixes


def test_d3_chromium_shows_names(
    swept: Swept, formats: Path, browser: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")  # the same sweep before anything came back
    shutil.copy(swept.run / "sweep.json", empty)
    own = [tag for tag, _ in hostile.Elements(as_html.render(reports.build(empty))).found]
    page = formats / "report.html"
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(f"file://{page}")
    for details in browser.find_elements(By.CSS_SELECTOR, "details:not([open]) > summary"):
        browser.execute_script("arguments[0].click()", details)
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
    assert asked <= {"about:blank", f"file://{page}"}
    assert not [m for m in sent if m["method"] == "Page.javascriptDialogOpening"]
    elements = browser.execute_script(
        "return [...document.querySelectorAll('*')].map(e => [e.localName, e.getAttributeNames()])"
    )
    tags = [tag for tag, _ in elements]
    for tag in (
        "script",
        "style",
        "meta",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "video",
    ):
        assert tags.count(tag) == own.count(tag), tag
    assert not [name for _, names in elements for name in names if name.startswith("on")]
    text = browser.execute_script("return document.body.innerText")
    assert "=cmd|' /C calc" in text
    assert "\\u202egnp.exe" in text
