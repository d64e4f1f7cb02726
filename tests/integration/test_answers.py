# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer what they like, over real ssh to hosts that are this machine (see loopback).

The others are probed, its own row has a sentence, and nothing that it says is executed or shown raw.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Fleet
from loopsweeps import sweep
from sweeps import SWEPT, coverage, fleetdiag, newest, report_of

HONEST, EVIL, OTHER = 0, 1, 2  # the hosts
COLD_S = 25  # to the start of a sweep whose hosts must be asked everything
# What no terminal and no report of text may get: controls but the line feed, marks of direction.
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
BYTES = r"\377\376\200\23331m \033]0;pwn\007 \r ok: [host0001] \000 \342\200\256 end\n"
PREFLIGHT, ARM, COLLECT = "*' preflight'*", "*' arm '*", "*' collect '*"


@pytest.fixture
def answering(hosts: Fleet) -> Iterator[Fleet]:
    """Return the fleet, of which every host is known again afterwards."""
    known = {path: path.read_bytes() for path in hosts.folder.glob("state/fleetdiag/hosts/*.json")}
    yield hosts
    for path, memory in known.items():
        path.write_bytes(memory)


def when(pattern: str, change: str) -> str:
    """The answer to one verb is changed, all others are honest."""
    return f"case $command in {pattern}) {change} ;; *) real ;; esac"


def swept(made: Fleet, runs: Path, *args: str, cold: bool = False) -> subprocess.CompletedProcess[str]:
    """A sweep, with what it showed looked at; cold: its hosts but the first are asked how they are."""
    variables: dict[str, Any] = {}
    if cold:
        for number in range(2, len(made.names) + 1):
            made.forget(number)
        variables["sweep_start"] = round(time.time()) + COLD_S
    done = sweep(made, runs, *args, **variables)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert not RAW.search(said), RAW.findall(said)
    return done


def covered(made: Fleet, runs: Path) -> list[dict[str, Any]]:
    """The rows of the coverage, in the order of the hosts."""
    found = coverage(report_of(newest(runs)))
    return [found[name] for name in made.names]


def assert_all_formats_are_clean(run: Path, out: Path) -> None:
    """No format of the report holds the bytes that a host may have sent."""
    made = fleetdiag("report", str(run), "-o", str(out), "--format", "all")
    assert made.returncode in (0, 3), made.stderr
    suffixes = {".txt", ".md", ".csv", ".json", ".html"}
    texts = [path for path in out.rglob("*") if path.suffix in suffixes]
    assert {path.suffix for path in texts} == suffixes
    for path in texts:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")  # the line end of CSV
        raw = RAW.findall(
            text if path.suffix != ".html" else text.replace("\t", "")
        )  # the page's own program
        assert not raw, path.name


def test_a1_a2_bytes_and_templates_of_a_host_are_text(answering: Fleet, tmp_path: Path) -> None:
    made, executed = answering, tmp_path / "executed"
    lookup = f"{{{{ lookup('pipe', 'touch {executed}') }}}}"
    raw = f"printf '{BYTES}'"
    made.answer_by(
        2,
        f"real; code=$?\ncase $command in\n{COLLECT}) printf 'kernel said '; {raw} ;;\n"
        f"{PREFLIGHT}) printf 'distribution='; {raw} ;;\nesac\n{raw} >&2; exit $code",
    )
    made.answer_by(
        3,
        f'lookup="{lookup}"\ncase $command in\n'
        f'{PREFLIGHT}) real | grep -v ^distribution=\nprintf "%s=$lookup\\n" distribution addresses ;;\n'
        f'{COLLECT}) real | sed "s#^collect=complete#kernel said $lookup\\n&#" ;;\n*) real ;;\nesac',
    )
    done = swept(made, tmp_path / "runs", cold=True)
    found = covered(made, tmp_path / "runs")
    assert found[HONEST]["status"] in SWEPT, done.stderr
    assert "its kernel said: " in found[EVIL]["reason"]
    assert lookup in found[OTHER]["reason"]
    run = newest(tmp_path / "runs")
    assert_all_formats_are_clean(run, tmp_path / "out")
    assert not executed.exists()


def test_a_login_shell_that_greets_is_probed_and_one_in_the_way_is_named(
    answering: Fleet, tmp_path: Path
) -> None:
    made = answering
    made.answer_by(2, "echo '*** Authorized use only ***'; real")
    made.answer_by(3, "printf 'welcome '; real")
    for number in (2, 3):
        made.forget(number)
    done = swept(made, tmp_path / "runs")
    found = covered(made, tmp_path / "runs")
    assert [row["status"] in SWEPT for row in found] == [True, True, False], done.stderr
    assert "its shell prints text around the answer of a command ('welcome')" in found[OTHER]["reason"]
    assert ".bashrc" in found[OTHER]["reason"]


# By name: what the second and the third host answer, and whether they must be asked everything.
SWEEPS = {
    "without a kernel, a kernel that is a path": (
        when(PREFLIGHT, "real | grep -v '^kernel='"),
        when(PREFLIGHT, "real | sed 's#^kernel=.*#kernel=../../../x -fprint victim -name z#'"),
        True,
    ),
    "a probe that is a path, no line of a session": (
        when(
            COLLECT, "real | sed 's#^session nettop#session ../../../evil#; s#^out nettop#out ../../../evil#'"
        ),
        when(COLLECT, "real | grep -v '^session slow_open'"),
        False,
    ),
    "a figure of 400 digits, a clock of 1e308": (
        when(
            COLLECT, "real | awk -v b=$(printf '%0400d' 0 | tr 0 9) '$1 == \"session\" { $5 = b } { print }'"
        ),
        when(ARM, r"real | sed 's/^\(came\|left\)=.*/\1=1e308/'"),
        False,
    ),
    "a bomb, lines that mean nothing": (
        when(
            COLLECT,
            'real | awk \'$1 == "out" && $2 == "nettop" { printf "out nettop ";'
            ' system("head -c 100000000 /dev/zero | gzip -1c | base64 -w0; echo"); next } { print }\'',
        ),
        when(COLLECT, r"printf 'kernel said {{ 7*7 }} </script>\nkernel taint x y\nkernel booted\n'; real"),
        False,
    ),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_host_that_answers_what_it_likes_costs_the_others_nothing(
    answering: Fleet, tmp_path: Path, name: str
) -> None:
    made = answering
    second, third, cold = SWEEPS[name]
    made.answer_by(2, second)
    made.answer_by(3, third)
    done = swept(made, tmp_path / "runs", cold=cold)
    found = covered(made, tmp_path / "runs")
    assert found[HONEST]["status"] in SWEPT, done.stderr
    for row in found[1:]:
        assert row["status"] in SWEPT or row["reason"]
        assert not re.search(r"no reason given|\w+Error\b|Task failed", row["reason"])
    assert not list((newest(tmp_path / "runs") / "builds").glob("*fprint*"))


def test_a_clock_that_is_set_back_while_arming_costs_no_later_sweep(answering: Fleet, tmp_path: Path) -> None:
    made, name = answering, answering.names[HONEST]
    made.sessions.stepped_back_s[name] = 3600
    assert swept(made, tmp_path / "first", "-l", name).returncode in (0, 3)
    made.sessions.stepped_back_s.clear()
    done = swept(made, tmp_path / "second", "-l", name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_guard_that_is_empty_is_sent_again(answering: Fleet, tmp_path: Path) -> None:
    """As a power cut may leave it."""
    made = answering
    for path in (made.folder / "hosts" / made.names[EVIL] / "lib" / "guard").glob("*.sh"):
        path.write_bytes(b"")
    swept(made, tmp_path / "empty")
    found = covered(made, tmp_path / "empty")
    assert found[HONEST]["status"] in SWEPT
    assert found[EVIL]["status"] in SWEPT, found[EVIL]["reason"]


def test_a_host_that_fails_to_arm_is_asked_everything_by_the_next_sweep(
    answering: Fleet, tmp_path: Path
) -> None:
    made, name = answering, answering.names[EVIL]
    memory = made.folder / "state" / "fleetdiag" / "hosts" / f"{name}.json"
    assert swept(made, tmp_path / "well", "-l", name).returncode == 0
    assert memory.exists()
    made.answer_by(2, when(ARM, "echo error=it does not want to; exit 1"))
    swept(made, tmp_path / "ill", "-l", name)
    row = coverage(report_of(newest(tmp_path / "ill")))[name]
    assert "it does not want to" in row["reason"]
    assert not memory.exists()
