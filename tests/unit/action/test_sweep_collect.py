# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions printed is brought home, and only then forgotten on the host."""

from __future__ import annotations

import gzip
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fakehost import Answer, FakeHost, act
from fakesweep import SWEEP, facts, keep_modules, sampled

from ansible_collections.fleetdiag.systemtap.plugins.action import sweep_collect
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_cache

WHOLE = f"{sampled()}collect=complete\n"
SESSION = {"status": "armed", "seconds": 1.0, "error": ""}


@pytest.fixture
def armed(run: Path) -> Path:
    write.write_host(run, "web1", "preflight", facts())
    write.write_host(
        run, "web1", "arm", {"verdict": "ok", "sessions": {"tick": SESSION}, "clock": facts()["clock"]}
    )
    return run


def host_that_says(*answers: str | Answer) -> FakeHost:
    return FakeHost().says(f"collect {SWEEP}", *answers).says(f"forget {SWEEP}", "")


def collect(run: Path, host: FakeHost, **more: Any) -> dict[str, Any]:
    return act("sweep_collect", host, run_dir=str(run), **more)


def verbs(host: FakeHost) -> list[str]:
    return [command.split(".sh ")[1].split()[0] for command, _ in host.asked]


def test_output_is_kept_and_then_forgotten_there(armed: Path) -> None:
    host = host_that_says(WHOLE)
    done = collect(armed, host)
    assert (done["collected_bytes"], done["results"]) == ({"tick": 4}, {"tick": "success"})
    assert verbs(host) == ["collect", "forget"]
    kept = read.read_host(armed, "web1", "collect")
    assert kept is not None
    assert (kept["sessions"]["tick"]["cpu_s"], kept["residue"]) == (0.12, [])
    with read.open_run(armed).open_output("web1", "tick", 1000) as output:
        assert output is not None
    (out,) = armed.rglob("tick.out.gz")
    assert gzip.decompress(out.read_bytes()) == b"row\n"


def test_what_is_here_is_not_brought_again(armed: Path) -> None:
    collect(armed, host_that_says(WHOLE))
    assert collect(armed, FakeHost())["skipped"]


def test_a_host_where_nothing_was_armed_is_not_asked(run: Path) -> None:
    assert collect(run, FakeHost())["skipped"]


def test_a_transfer_that_was_cut_off_is_done_again(armed: Path) -> None:
    host = host_that_says(sampled(), WHOLE)
    assert not collect(armed, host).get("failed")
    assert verbs(host) == ["collect", "collect", "forget"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (sampled(), "the output did not arrive whole; it is still on the host"),
        (f"{sampled('evil')}collect=complete\n", "the host sent a session nobody asked for: 'evil'"),
        (f"{sampled(result='x')}collect=complete\n", "session tick: the host's answer cannot be read"),
        ("error=the sweep is not here\n", "the sweep is not here"),
        ((1, "", "sh: cannot open\n"), "collect failed on the host: sh: cannot open"),
    ],
)
def test_a_bad_answer_is_one_sentence_and_nothing_is_forgotten(
    armed: Path, answer: str | Answer, sentence: str
) -> None:
    host = host_that_says(answer)
    done = collect(armed, host)
    assert done["failed"]
    assert done["msg"].startswith(sentence)
    assert "\n" not in done["msg"]
    assert "forget" not in verbs(host)
    assert read.read_host(armed, "web1", "collect") is None  # it is awaited still


class EndlessHost(FakeHost):
    """What it sends fills the memory, at a pace that a busy machine can follow, until somebody must have ended it."""

    def answer(self, command: str, data: bytes | None) -> Answer:
        self.asked.append((command, data or b""))
        sent = []
        while len(sent) < 256:
            sent.append(b"x" * (1 << 20))
            threading.Event().wait(0.02)
        raise AssertionError("nobody has ended it")


@pytest.mark.parametrize(
    ("bound", "least", "sentence"),
    [
        (
            "collect_timeout_s",
            1,
            "it has not handed over its output within 1 s; bring it with: fleetdiag collect ",
        ),
        (
            "collect_bytes",
            1 << 20,
            "it sends more than all its sessions may print, so nothing of that is kept: ",
        ),
    ],
)
def test_an_answer_without_end_is_ended_and_still_there(
    armed: Path, monkeypatch: pytest.MonkeyPatch, bound: str, least: int, sentence: str
) -> None:
    monkeypatch.setattr(sweep_collect, bound, lambda _: least)
    host = EndlessHost()
    assert collect(armed, host)["msg"].startswith(sentence)
    assert verbs(host) == ["collect"]
    assert read.read_host(armed, "web1", "collect") is None


def test_a_module_that_stays_loaded_fails_the_host_and_loses_no_output(armed: Path) -> None:
    done = collect(armed, host_that_says(f"residue fd_x_tick\n{WHOLE}"))
    assert done["msg"].startswith("fd_x_tick could not be unloaded on web1; its output is safe here")
    assert (read.read_host(armed, "web1", "collect") or {})["residue"] == ["fd_x_tick"]
    assert list(armed.rglob("tick.out.gz"))


def test_a_host_is_remembered_where_its_modules_are_known(armed: Path) -> None:
    kernel = facts()["kernel"]
    sums = keep_modules(armed)
    probes = {name: {"status": "built", "sha256": sha256} for name, sha256 in sums.items()}
    write.write_json(armed, f"builds/{kernel}.json", {"kernel": kernel, "stap": "5.6", "probes": probes})
    now = time.time()
    collect(armed, host_that_says(f"came={now}\n{WHOLE}left={now}\n"))
    memory = host_cache.HostMemory().get("web1")
    assert memory is not None
    assert (memory["stap"], memory["facts"]["kernel"]) == ("5.6", kernel)
    assert set(memory["facts"]["modules_held"]) == set(sums.values())


def test_check_mode_asks_nothing(armed: Path) -> None:
    host = FakeHost()
    assert collect(armed, host, check_mode=True)["would_run"]
    assert host.asked == []
