# SPDX-License-Identifier: GPL-3.0-or-later
"""Round trips, the common start and the faults between, over real ssh to hosts that are this machine (see loopback).

The kernel's part is a stand-in here; what sessions really do is in test_guard and test_sweep.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from haproxies import SITE
from loopback import PROGRAMS, Fleet, fleet, lacking
from loopsweeps import HOSTS, PROBES, bring, command, how, sweep, swept, verbs
from sweeps import ENVIRONMENT, ROOT, SWEPT, coverage, newest, report_of, wait_until, window_of

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import haproxy
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read

pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"needs root and {', '.join(PROGRAMS)}")

HAPROXY = (
    """
global
    stats socket {socket} mode 600 level admin
"""
    + SITE
    + """{servers}
"""
)
#: A strategy in which the last host that was asked answers first.
LAST_ANSWERS_FIRST = """
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from ansible.plugins import strategy
spec = spec_from_file_location("shipped", Path(strategy.__file__).with_name("linear.py"))
shipped = module_from_spec(spec)
spec.loader.exec_module(shipped)
class StrategyModule(shipped.StrategyModule):
    def _wait_on_pending_results(self, iterator):
        return super()._wait_on_pending_results(iterator)[::-1]
"""
#: How far ahead a start lies that is told to several sweeps: the first is enough for a machine that does nothing else.
AHEAD_S = (15, 60, 240)
MOMENTS = ["sweep", "before", "lowered", "start", "end", "restored", "after"]


def test_a_host_that_is_known_is_armed_told_the_window_and_asked_to_hand_over(
    hosts: Fleet, tmp_path: Path
) -> None:
    hosts.forget_commands()
    done = sweep(hosts, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for number in range(1, HOSTS + 1):
        assert verbs(hosts, number) == ["arm", "go", "collect", "forget"]
    rows = coverage(report_of(newest(tmp_path)))
    assert {row["status"] for row in rows.values()} <= SWEPT
    assert not list(hosts.folder.glob("hosts/*/lib/sweeps/*"))


def test_a_host_that_was_booted_is_armed_as_it_is_now(hosts: Fleet, tmp_path: Path) -> None:
    boot_id = hosts.boot(2)
    hosts.forget_commands()
    done = sweep(hosts, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verbs(hosts, 2) == ["arm", "arm", "go", "collect", "forget"]  # how it is now, it says at once
    facts = json.loads((newest(tmp_path) / "hosts" / hosts.names[1] / "preflight.json").read_text())
    assert facts["boot_id"] == boot_id
    assert verbs(hosts, 1) == ["arm", "go", "collect", "forget"]
    hosts.forget_commands()
    assert sweep(hosts, tmp_path).returncode == 0
    assert verbs(hosts, 2) == ["arm", "go", "collect", "forget"]


def test_a_host_that_was_booted_into_another_kernel_costs_the_others_nothing(
    hosts: Fleet, tmp_path: Path
) -> None:
    hosts.boot(1, "6.99.0-new")
    try:
        done = sweep(hosts, tmp_path)
    finally:
        hosts.boot(1)
    rows = coverage(report_of(newest(tmp_path)))
    assert done.returncode == 3
    assert rows[hosts.names[0]]["status"] == "refused"
    assert "booted into kernel 6.99.0-new" in rows[hosts.names[0]]["reason"]
    assert rows[hosts.names[1]]["status"] in SWEPT


def test_modules_that_are_gone_are_sent_with_the_next_command(hosts: Fleet, tmp_path: Path) -> None:
    known = sweep(hosts, tmp_path / "before")
    assert known.returncode == 0, known.stdout + known.stderr
    hosts.remove_modules()
    hosts.forget_commands()
    done = sweep(hosts, tmp_path / "after")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verbs(hosts, 1) == ["arm", "arm", "go", "collect", "forget"]
    armed = json.loads((newest(tmp_path / "after") / "hosts" / hosts.names[0] / "arm.json").read_text())
    assert armed["pushed"] == len(PROBES)


def swept_with_one_start(*swept: tuple[Fleet, str, Path]) -> int:
    """Sweep a host of each fleet into its folder, all with one start; return it, in epoch seconds."""
    for ahead in AHEAD_S:
        start = round(time.time()) + ahead
        sweeping = [
            subprocess.Popen(
                command(made, folder, "-l", name, sweep_start=start),
                cwd=ROOT,
                env={**ENVIRONMENT, **made.environment()},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for made, name, folder in swept
        ]
        ended = [one.wait() for one in sweeping]
        if not any(ended):
            return start
    pytest.fail(f"a start that lies {AHEAD_S[-1]} s ahead came too soon")


def test_two_sweeps_with_one_start_look_at_the_same_time(hosts: Fleet, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in hosts.names[:2]}
    start = swept_with_one_start(*((hosts, name, folder) for name, folder in folders.items()))
    for folder in folders.values():
        assert window_of(newest(folder)) == {"start": start, "end": start + 2}
    opened = [session.started_at for session in hosts.sessions.sessions if session.start == start]
    assert len(opened) == 2 * len(PROBES)
    assert all(at is not None and 0 <= at - start < 2 for at in opened)


def test_fleets_of_two_checkouts_do_not_meet_on_one_machine(
    hosts: Fleet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hosts of the same names and addresses: each fleet has its own port, state and locks."""
    name = hosts.names[0]
    # Not in tmp_path, whose name is so long that ssh's sockets below it would have none.
    with fleet(tmp_path_factory.mktemp("other"), 1) as other:
        other.build(list(PROBES))
        folders = {made.folder: tmp_path / made.folder.name for made in (hosts, other)}
        swept_with_one_start(*((made, name, folders[made.folder]) for made in (hosts, other)))
        for made in (hosts, other):
            (row,) = report_of(newest(folders[made.folder]))["coverage"]
            assert row["status"] in SWEPT, row
            assert not list(made.folder.glob("hosts/*/lib/sweeps/*"))


def test_a_shard_can_run_on_another_controller_that_is_reached_by_ssh(hosts: Fleet, tmp_path: Path) -> None:
    """The third host is that controller: its own /run, its programs and state found by what the command says."""
    asked = ("-l", f"{hosts.names[0]},{hosts.names[1]}", "--shards", "2")
    worker = ("--worker", shlex.join(remote_worker(hosts, 3)))
    for ahead in AHEAD_S:
        runs = tmp_path / str(ahead)
        hosts.forget_commands()
        done = sweep(hosts, runs, *asked, *worker, "--lead", f"{ahead}s")
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([line for line in hosts.commands(3) if "ansible_runner worker" in line]) == 2
    folder = newest(runs)
    report = report_of(folder)
    rows = coverage(report)
    assert sorted(rows) == hosts.names[:2]
    assert {row["status"] for row in rows.values()} <= SWEPT
    windows = [window_of(path) for path in read.parts(folder)]
    assert len(windows) == 2
    assert windows[0] == windows[1]


def remote_worker(made: Fleet, number: int) -> list[str]:
    """`ssh OTHER ansible-runner worker`, where the other is a host of this fleet."""
    there = [
        f"{name}={value}"
        for name, value in made.environment().items()
        if name.startswith(("XDG_", "ANSIBLE_SSH_"))
    ]
    programs = f"PATH={Path(sys.executable).parent}:/usr/bin:/bin"
    run = shlex.join(["env", programs, *there, sys.executable, "-m", "ansible_runner", "worker"])
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    words = [word for option in options for word in ("-o", option)]
    return [
        "ssh",
        "-p",
        str(made.port),
        "-i",
        f"{made.folder}/key",
        *words,
        f"root@{made.address(number)}",
        run,
    ]


def test_a_script_gets_the_process_that_its_host_names(hosts: Fleet, tmp_path: Path) -> None:
    script = tmp_path / "calls.stp"
    script.write_text("probe syscall.read { if (pid() == target()) n++ }\n")
    named = tmp_path / "named.yml"
    named.write_text(
        "web: {hosts: {host0001: {sweep_target: 99}, host0002: {sweep_target: nginx.service}}}\n"
    )
    hosts.build([*PROBES, str(script)])
    hosts.sessions.recordings["stp_calls"] = []
    hosts.sessions.started.clear()
    done = sweep(hosts, tmp_path / "runs", "-i", str(named), "--probe", str(script))
    asked = {line.split()[0]: line.split() for line in hosts.sessions.started if "/stp_calls/" in line}
    assert {host: [word for word in line if word.startswith("target=")] for host, line in asked.items()} == {
        "host0001": ["target=99"],
        "host0002": ["target=812"],
    }, done.stdout + done.stderr
    rows = coverage(report_of(newest(tmp_path / "runs")))
    assert "stp_calls: not armed (it asks for a process (target())" in rows["host0003"]["reason"]
    assert rows["host0003"]["status"] in SWEPT


def test_a_start_that_is_past_arms_nothing(hosts: Fleet, tmp_path: Path) -> None:
    hosts.forget_commands()
    done = sweep(hosts, tmp_path, sweep_start=time.time() - 100)
    assert done.returncode == 2
    assert re.search(r"sweep_start \d+: is 1\d\d\.\d s ago, no host can be armed by then", done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert not hosts.commands(1)


def test_the_second_of_two_sweeps_is_told_whose_the_first_is(hosts: Fleet, tmp_path: Path) -> None:
    holder = "20261123_071502_1f3a"
    own = hosts.folder / "hosts" / hosts.names[0] / "run"
    (own / "fleetdiag.lock").write_text(f"{holder} ann@ctl1\n")
    (own / "units" / f"fd-{holder}-reap").touch()
    try:
        done = sweep(hosts, tmp_path)
    finally:
        (own / "units" / f"fd-{holder}-reap").unlink()
    assert done.returncode == 3
    rows = coverage(report_of(newest(tmp_path)))
    assert rows[hosts.names[0]]["status"] == "refused"
    assert f"sweep {holder} of ann@ctl1 runs on this host" in rows[hosts.names[0]]["reason"]
    assert rows[hosts.names[1]]["status"] in SWEPT


def test_two_names_of_one_machine_are_probed_once(hosts: Fleet, tmp_path: Path) -> None:
    name, alias = hosts.names[2], f"{hosts.names[2]}-mgmt"
    more = {"all": {"children": {"web": {"hosts": {alias: {"ansible_host": hosts.address(3)}}}}}}
    (tmp_path / "alias.json").write_text(json.dumps(more))
    for runs in ("asked", "known"):
        before = len(hosts.sessions.sessions)
        done = sweep(hosts, tmp_path / runs, "-i", str(tmp_path / "alias.json"), "-l", f"{name},{alias}")
        assert done.returncode == 3, done.stdout + done.stderr
        rows = coverage(report_of(newest(tmp_path / runs)))
        assert rows[name]["status"] in SWEPT
        assert (rows[alias]["status"], rows[alias]["reason"]) == (
            "refused",
            f"is the same machine as {name}, which is probed",
        )
        assert len(hosts.sessions.sessions) - before == len(PROBES)


def test_a_slow_host_delays_the_others_only_until_its_own_timeout(hosts: Fleet, tmp_path: Path) -> None:
    slow_s = 600
    hosts.slow_down(3, slow_s)
    began = time.monotonic()
    try:
        done = sweep(hosts, tmp_path, sweep_task_timeout=20)
    finally:
        hosts.slow_down(3, 0)
    assert time.monotonic() - began < slow_s
    assert done.returncode == 3
    rows = coverage(report_of(newest(tmp_path)))
    assert {rows[name]["status"] for name in hosts.names[:2]} <= SWEPT
    assert rows[hosts.names[2]]["status"] == "failed"


def test_batches_come_in_their_order_whichever_host_answers_first(hosts: Fleet, tmp_path: Path) -> None:
    (tmp_path / "linear.py").write_text(LAST_ANSWERS_FIRST)
    done = swept(hosts, tmp_path / "runs", "--canary", "1", ANSIBLE_STRATEGY_PLUGINS=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = json.loads((newest(tmp_path / "runs") / "window.json").read_text())["batches"]
    assert (first["hosts"], second["hosts"]) == (list(hosts.names[:1]), list(hosts.names[1:]))
    assert second["start"] > first["end"]


def test_a_host_on_which_nothing_could_be_started_is_free_for_the_next_sweep(
    hosts: Fleet, tmp_path: Path
) -> None:
    run = hosts.folder / "hosts" / hosts.names[0] / "run"
    (run / "refuses").touch()
    try:
        done = sweep(hosts, tmp_path)
    finally:
        (run / "refuses").unlink()
    assert done.returncode == 3, done.stdout + done.stderr
    rows = coverage(report_of(newest(tmp_path)))
    assert rows[hosts.names[0]]["status"] not in SWEPT
    assert rows[hosts.names[1]]["status"] in SWEPT
    assert not list((run / "units").iterdir())


def test_a_transfer_that_was_cut_off_is_done_again_and_no_output_is_lost(
    hosts: Fleet, tmp_path: Path
) -> None:
    hosts.cut_short(1, times=1)  # and then it arrives
    hosts.cut_short(2, times=1000)
    hosts.forget_commands()
    done = sweep(hosts, tmp_path)
    hosts.cut_short(2, times=0)
    assert done.returncode == 3, done.stdout + done.stderr
    assert verbs(hosts, 1) == ["arm", "go", "collect", "collect", "forget"]
    assert verbs(hosts, 2) == ["arm", "go", "collect", "collect"]
    run = newest(tmp_path)
    row = coverage(report_of(run))[hosts.names[1]]
    assert row["status"] == "failed"
    assert "did not arrive whole" in row["reason"] or "not readable" in row["reason"]
    assert "fleetdiag collect" in row["remedy"]
    assert bring(hosts, run).returncode == 0
    assert {row["status"] for row in coverage(report_of(run)).values()} <= SWEPT
    assert not list(hosts.folder.glob("hosts/*/lib/sweeps/*"))


def test_a_host_gets_less_traffic_while_it_is_probed(hosts: Fleet, tmp_path: Path) -> None:
    """A real HAProxy whose servers are the hosts; nobody asks it for anything here (test_site)."""
    name, socket = hosts.names[0], str(tmp_path / "admin.sock")
    servers = "".join(f"    server {each} 127.0.0.1:9 weight 100\n" for each in hosts.names)
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(socket=socket, folder=tmp_path, servers=servers))
    local = {"ansible_connection": "local", "ansible_become": False, "drain_sockets": [socket]}
    local |= {"ansible_python_interpreter": sys.executable, "drain_record_dir": str(tmp_path / "records")}
    groups = {"children": {"load_balancers": {"hosts": {"lb1": local}}}}
    (tmp_path / "balancers.json").write_text(json.dumps({"all": groups}))
    asked = ("-i", str(tmp_path / "balancers.json"), "-l", name, "--drain", "50%")
    balancer = subprocess.Popen(["haproxy", "-f", str(tmp_path / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: Path(socket).exists(), "HAProxy answers", 30)
        with subprocess.Popen(
            command(hosts, tmp_path / "runs", *asked),
            cwd=ROOT,
            env=how(hosts)["env"],
            stdout=(tmp_path / "said").open("w"),
            stderr=subprocess.STDOUT,
        ) as running:
            seen = []
            while running.poll() is None:
                seen.append(haproxy.read_weight(socket, "web", name))
                time.sleep(0.2)
        after = haproxy.read_weight(socket, "web", name)
    finally:
        balancer.terminate()
        balancer.wait()
    assert running.returncode == 0, (tmp_path / "said").read_text()
    assert (seen[0], after, min(seen)) == (100, 100, 50)
    run = newest(tmp_path / "runs")
    assert {row["status"] for row in coverage(report_of(run)).values()} <= SWEPT
    counted = json.loads((run / "balancers.json").read_text())["moments"]
    assert list(dict.fromkeys(one["moment"] for one in counted)) == MOMENTS
