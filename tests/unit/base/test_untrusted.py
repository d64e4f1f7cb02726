# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host says is read by rule, and what does not fit is one sentence that names the host and the key."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.action import sweep_inspect_builder
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    host_program,
    hostctl,
    preflight,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.clock import (
    Clock,
    answered_clock,
    measure_clock,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import (
    ArmReply,
    read_collected,
)

SWEEP = "20261123_071502_1f3a"
SAID = {
    "uid": "0",
    "kernel": "6.12.107+deb13-amd64",
    "kernel_build_id": "0123456789abcdef0123456789abcdef01234567",
    "staprun": "5.1",
    "boot_id": "5e3f2a10-9f2a-4a5a-8d36-0123456789ab",
    "init": "systemd",
    "systemd": "257",
    "free_mb": "5000",
    "mem_available_mb": "700",
}
ODD_KERNELS = (
    "",
    "x -fprint y -name z",
    "../../evil",
    "6.1..2",
    "-r",
    "6.1\n",
    "6.1/..",
    "\uff16.1",
    "a" * 101,
)


class Host:
    """Answers every command with the same text."""

    def __init__(self, out: str) -> None:
        self.out = out

    def __call__(self, command: str, data: bytes | None) -> tuple[int, str, str]:
        del command, data
        return 0, self.out, ""


def told(said: dict[str, str]) -> dict[str, Any]:
    clock = Clock(0.0, 0.1)
    return preflight.told(said, clock, "web2", min_free_mb=1, signed=False).to_json()


def armed(out: str, *probes: str) -> ArmReply:
    plans = [hostctl.SessionPlan(probe, "a" * 64, 64, []) for probe in probes]
    return hostctl.Guard(Host(out), script=b"").arm(SWEEP, ttl_s=1, timeout_s=1, smoke="", plans=plans)


def test_facts_that_fit_are_kept_and_nothing_else_is() -> None:
    record = told({**SAID, "verdict": "ok", "host": "web1", "remembered": "1", "clock": "1", "evil": "x"})
    assert (record["verdict"], record["host"], record["free_mb"]) == ("ok", "web2", 5000)
    assert record["clock"] == {"offset_s": 0.0, "error_s": 0.1}
    assert not {"remembered", "evil"} & set(record)
    assert preflight.unusable(record) == ""


@pytest.mark.parametrize("key", ["kernel", "kernel_build_id", "staprun", "boot_id"])
def test_a_host_that_does_not_say_what_a_sweep_relies_on_is_refused(key: str) -> None:
    said = {name: value for name, value in SAID.items() if name != key}
    with pytest.raises(FleetdiagError, match=rf"web2: its answer to preflight lacks {key}; .* sweep again"):
        told(said)
    assert key in preflight.unusable({**said, "clock": {"offset_s": 0.0, "error_s": 0.0}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("kernel", kernel) for kernel in ODD_KERNELS),
        ("kernel_build_id", "$(id)"),
        ("staprun", "5.1; id"),
        ("boot_id", "1"),
        ("boot_id", ""),
    ],
)
def test_words_that_have_no_place_in_a_shell_or_a_path_are_refused(key: str, value: str) -> None:
    with pytest.raises(FleetdiagError, match=rf"web2: it says {key}=.* sweep again") as caught:
        told({**SAID, key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kernel", [kernel for kernel in ODD_KERNELS if kernel])
def test_a_name_that_is_not_written_is_not_read(tmp_path: Path, kernel: str) -> None:
    run = tmp_path / "run"
    (run / "builds").mkdir(parents=True)
    (tmp_path / "evil.json").write_text('{"error": "text of a file outside the run directory"}')
    notes: list[str] = []
    assert read.read_json(run, f"builds/{kernel}.json", notes) is None
    if len(kernel) <= 100:
        assert "not the name of a file of a run directory" in notes[0]


def test_a_kernel_that_says_what_find_does_has_no_effect_on_a_builder(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    command = sweep_inspect_builder.LOOK.format(
        kernel=f"'x -fprint {victim} -name z'", patterns="ext4", certificate="''", prefix="''", target="''"
    )
    subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("word", ["²", "1e9", "-1", "9" * 16, "9" * 5000, "", " 1", "1\n", "٣", "0x1"])
def test_what_is_no_short_decimal_number_is_none(word: str) -> None:
    assert untrusted.whole(word) is None


@pytest.mark.parametrize("word", ["1e308", "nan", "inf", "9" * 400, "²", "", "1.2.3"])
def test_a_time_is_finite_and_within_a_year(word: str) -> None:
    assert untrusted.moment(word, 1e9) is None
    with pytest.raises(FleetdiagError, match="clock"):
        measure_clock(lambda: word, now=lambda: 1e9)
    assert answered_clock([f"came={word}", f"left={word}"], 1e9, 1e9) is None


def test_a_time_of_another_year_is_none_and_of_this_one_is_taken() -> None:
    assert untrusted.moment("1000000000.25", 1e9 + 5) == 1e9 + 0.25
    assert untrusted.moment("1000000000", 2e9) is None


def test_a_line_ends_where_the_host_program_ends_it() -> None:
    text = "out x\u2028error=1\x0bresidue a\x85\r\nleft=1\n"
    assert untrusted.lines(text) == ["out x\u2028error=1\x0bresidue a\x85", "left=1"]
    assert untrusted.lines("") == []


def test_sessions_are_those_that_were_asked_for_in_states_there_are() -> None:
    huge = "9" * 400
    reply = armed(
        f"session nettop armed {huge}\nsession ../evil armed 1\nsession disktop dancing 1\nverdict=ok\n",
        *("nettop", "disktop"),
    )
    assert reply.sessions["nettop"] == ("armed", 0.0, "")
    assert reply.sessions["disktop"] == ("late", 0.0, "the host did not say what became of it")
    assert set(reply.sessions) == {"nettop", "disktop"}


def test_a_verdict_there_is_not_is_one_sentence() -> None:
    with pytest.raises(FleetdiagError, match="verdict='fine'"):
        armed("verdict=fine\n", "nettop")


def test_names_of_loaded_modules_can_be_pasted() -> None:
    host = Host(
        f"aborted {SWEEP} ²\naborted ../x 1\nresidue fd_x_nettop\nresidue $(id); rm -rf x\nabort=complete\n"
    )
    aborted = hostctl.Guard(host, script=b"").install_and_abort()
    assert aborted.sweeps == {SWEEP: 0}
    assert aborted.residue == ["fd_x_nettop", "a module whose name cannot be read (see lsmod)"]
    collected = read_collected(["residue a b", "kernel taint ² 1", "collect=complete"], {})
    assert (collected.residue, collected.kernel) == ([aborted.residue[1]], [])


@pytest.mark.parametrize("position", [4, 5, 7, 8])
@pytest.mark.parametrize("word", ["²", "9" * 400, "-1", "1e3"])
def test_numbers_of_a_session_are_short_and_decimal(position: int, word: str) -> None:
    out = gzip.compress(b"rows\n")
    head = ["session", "nettop", "success", "0", "1", "5", hashlib.sha256(b"rows\n").hexdigest(), "5", "1"]
    head[position] = word
    lines = [" ".join(head), f"out nettop {base64.b64encode(out).decode()}", "collect=complete"]
    with pytest.raises(FleetdiagError, match="cannot be read"):
        read_collected(lines, {"nettop": 100})


def test_the_host_program_says_no_fact_that_is_not_taken() -> None:
    program = host_program.text().decode()
    body = program.partition("\npreflight() {")[2].partition("\n}")[0]
    said = set(re.findall(r"""(?:echo|say|printf) ["']?(\w+)=""", body))
    assert said == {*untrusted.REQUIRED, *untrusted.WORDS}


@pytest.mark.parametrize(
    "clock",
    [
        *(None, 1, {}, {"offset_s": 1.0}, {"offset_s": None, "error_s": 0.0}),
        *({"offset_s": float("nan"), "error_s": 0.0}, {"offset_s": 10**400, "error_s": 0.0}),
        *({"offset_s": 0.0, "error_s": -1.0}, {"offset_s": True, "error_s": 0.0}),
    ],
)
def test_a_stored_clock_is_finite_or_none(clock: object) -> None:
    assert Clock.stored(clock) is None
    assert Clock.stored({"offset_s": -3, "error_s": 0.5}) == Clock(-3.0, 0.5)


@pytest.mark.parametrize("playbook", ["install.yml", "builder.yml"])
def test_playbooks_give_builders_only_kernels_that_fit(playbook: str) -> None:
    text = (host_program.FILES.parents[2] / "playbooks" / playbook).read_text()
    (rule,) = re.findall(r"select\('match', '([^']*)'\)", text)
    assert not [kernel for kernel in ODD_KERNELS if re.match(rule, kernel) and "\n" not in kernel]
    assert re.match(rule, SAID["kernel"])
