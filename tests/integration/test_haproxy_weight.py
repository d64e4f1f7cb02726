# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights lowered and given back, against a real HAProxy on the loopback. Rows H1 to H6 are named in the tests."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from haproxies import SITE

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import (
    haproxy,
    policy,
    swap,
    timer,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers import record as records
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Entry,
)

CONFIG = (
    """
global
    stats socket {socket} mode 600 level admin
    stats socket {operator} mode 600 level operator
    maxconn 50
"""
    + SITE
    + """    server web1 127.0.0.1:9 weight 100
    server web2 127.0.0.1:9 weight 100
    server web3 127.0.0.1:9 weight 100
backend pages
    balance leastconn
    server web1 127.0.0.1:9 weight 40
    server web2 127.0.0.1:9 weight 40
backend fixed
    balance source
    server old1 127.0.0.1:9 weight 10
    server old2 127.0.0.1:9 weight 10
backend turns
    balance static-rr
    server new2 127.0.0.1:9 weight 10
    server new3 127.0.0.1:9 weight 10
backend mixed
    balance roundrobin
    server old1 127.0.0.1:9 weight 10
    server new1 127.0.0.1:9 weight 10
    server new2 127.0.0.1:9 weight 10
    server new4 127.0.0.1:9 weight 10 agent-check agent-port 9 agent-inter 1h
"""
)


class Balancer:
    """One HAProxy in master-worker mode, which reloads on SIGUSR2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket, self.operator = str(folder / "admin.sock"), str(folder / "operator.sock")
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(socket=self.socket, operator=self.operator, folder=folder))
        self.process = subprocess.Popen(
            ["haproxy", "-W", "-S", str(folder / "master.sock"), "-f", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: answers(self.socket))

    def weight(self, server: str, backend: str = "web") -> int:
        return haproxy.read_weight(self.socket, backend, server)

    def status(self, server: str) -> str:
        lines = haproxy.ask(self.socket, "show stat").splitlines()
        heads = lines[0][2:].split(",")
        rows = (dict(zip(heads, line.split(","), strict=False)) for line in lines[1:])
        return next(row["status"] for row in rows if (row["pxname"], row["svname"]) == ("web", server))

    def worker(self) -> str:
        return next(
            line for line in haproxy.ask(self.socket, "show info").splitlines() if line.startswith("Pid:")
        )

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It takes connections and answers none, as when it is busy."""
        worker = int(self.worker().split()[1])
        os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(worker, signal.SIGCONT)

    def reload(self) -> None:
        before = self.worker()
        self.process.send_signal(signal.SIGUSR2)
        until(lambda: answers(self.socket) and self.worker() != before)


def answers(path: str) -> bool:
    try:
        return haproxy.ask(path, "show info").startswith("Name:")
    except BalancerError:
        return False


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path_factory.mktemp("ha"))
    yield balancer
    balancer.process.terminate()
    balancer.process.wait(30)


@pytest.fixture
def balancer(running: Balancer) -> Balancer:
    """The same one for each test, as its configuration has it."""
    for server in haproxy.servers(running.socket):
        haproxy.ask(running.socket, f"set server {server.backend}/{server.name} state ready")
        if server.weight != server.initial:
            haproxy.set_weight(running.socket, server.backend, server.name, server.initial)
    return running


def planned(balancer: Balancer, *names: str, weight: str = "50%", **more: Any) -> list[Entry]:
    options = {"backends": ["web"], "floor_percent": 10, "min_active": 1, **more}
    terms = policy.read_terms(weight, haproxy.MAX_WEIGHT, **options)
    return policy.plan(haproxy.servers(balancer.socket), list(names), terms)


def lower(balancer: Balancer, *names: str, **more: Any) -> str:
    record = str(balancer.folder / "record.json")
    swap.lower(haproxy, planned(balancer, *names, **more), record)
    return record


def test_every_backend_of_a_server_is_lowered_and_given_back(balancer: Balancer) -> None:
    record = lower(balancer, "web1", backends=[])
    assert (balancer.weight("web1"), balancer.weight("web1", "pages")) == (50, 20)
    assert balancer.weight("web2") == 100
    given = swap.restore(haproxy, record)
    assert (balancer.weight("web1"), balancer.weight("web1", "pages")) == (100, 40)
    assert (len(given.weights), given.left, given.owed) == (2, {}, {})
    assert swap.restore(haproxy, record) == swap.Given()  # again: nothing to do


@pytest.mark.parametrize(
    ("asked", "becomes"), [("50%", 50), ("30", 30), ("0%", 10), ("0", 10), ("256", 100), ("100%", 100)]
)
def test_a_weight_is_never_raised_and_never_below_the_floor(
    balancer: Balancer, asked: str, becomes: int
) -> None:
    entries = planned(balancer, "web1", weight=asked)
    assert [entry.set for entry in entries] == ([becomes] if becomes < 100 else [])


@pytest.mark.parametrize(
    ("weight", "initial", "asked", "floor", "becomes"),
    [
        (1, 0, "50%", 10, 1),
        (1, 1, "50%", 0, 1),
        (100, 0, "0%", 10, 10),
        (1, 1, "0%", 0, 0),
        (1, 1, "0", 0, 0),
    ],
)
def test_a_share_of_a_weight_is_not_nothing(
    weight: int, initial: int, asked: str, floor: int, becomes: int
) -> None:
    server = policy.Server("s", "web", "web1", weight, initial, 0, active=True)
    terms = policy.read_terms(asked, haproxy.MAX_WEIGHT, floor_percent=floor, min_active=1)
    assert policy.target(server, terms) == becomes


def test_h1_the_balancers_own_timer_gives_the_weight_back_when_nobody_else_does(
    balancer: Balancer, tmp_path: Path
) -> None:
    arguments = {"state": "lowered", "token": "h1", "servers": ["web1"], "ttl": 3, "wait": 0}
    lowered = run_module(balancer, tmp_path, arguments)
    # Read back by the module itself: on a busy machine the timer may come before anybody else looks.
    assert lowered["weights"][f"{balancer.socket}: web/web1"] == {"before": 100, "after": 50}
    # The controller is gone: the process that lowered the weight has ended, and nobody calls again.
    until(lambda: balancer.weight("web1") == 100 and not list((tmp_path / "records").glob("*.json")))


def test_h2_a_weight_that_an_operator_changed_meanwhile_is_left_alone(balancer: Balancer) -> None:
    record = lower(balancer, "web1")
    haproxy.set_weight(balancer.socket, "web", "web1", 77)
    given = swap.restore(haproxy, record)
    assert balancer.weight("web1") == 77
    assert (given.weights, given.owed) == ({}, {})
    assert "its weight is 77, not the 50 we had set" in next(iter(given.left.values()))


def test_h3_a_server_in_maintenance_stays_there(balancer: Balancer) -> None:
    haproxy.ask(balancer.socket, "set server web/web1 state maint")
    record = lower(balancer, "web1")
    assert balancer.status("web1") == "MAINT"
    swap.restore(haproxy, record)
    assert (balancer.status("web1"), balancer.weight("web1")) == ("MAINT", 100)


@pytest.mark.parametrize(
    ("names", "more", "said"),
    [
        (["old1"], {"backends": ["fixed"]}, "static LB algorithm"),
        (["web9"], {}, "server web9 is not in backend web of this balancer"),
        (["web1"], {"weight": "10;disable server web/web2"}, "is neither 0 to 256 nor 0% to 100%"),
        (["web1"], {"weight": "101%"}, "is neither 0 to 256 nor 0% to 100%"),
    ],
)
def test_h4_what_haproxy_would_not_do_is_an_error_and_changes_nothing(
    balancer: Balancer, names: list[str], more: dict[str, Any], said: str
) -> None:
    before = haproxy.servers(balancer.socket)
    with pytest.raises(BalancerError, match=said):
        lower(balancer, *names, **more)
    assert haproxy.servers(balancer.socket) == before
    assert not (balancer.folder / "record.json").exists()


def test_h4_a_socket_without_admin_level_is_an_error(balancer: Balancer) -> None:
    entry = Entry(balancer.operator, "web", "web1", 100, 50)
    with pytest.raises(BalancerError, match="Permission denied"):
        swap.lower(haproxy, [entry], str(balancer.folder / "record.json"))
    assert balancer.weight("web1") == 100


def test_h4_one_refusal_takes_back_what_was_lowered_before_it(balancer: Balancer) -> None:
    entries = [*planned(balancer, "web1"), Entry(balancer.operator, "web", "web2", 100, 50)]
    with pytest.raises(BalancerError):
        swap.lower(haproxy, entries, str(balancer.folder / "record.json"))
    assert (balancer.weight("web1"), balancer.weight("web2")) == (100, 100)


def test_h5_after_a_reload_there_is_nothing_to_give_back(balancer: Balancer) -> None:
    record = lower(balancer, "web1")
    balancer.reload()
    assert balancer.weight("web1") == 100
    given = swap.restore(haproxy, record)
    assert (given.weights, len(given.left), given.owed) == ({}, 1, {})
    assert balancer.weight("web1") == 100


# --- H7: a balancer that does not answer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for an answer, cut short; one that works answers before it ends on a busy machine, too."""
    monkeypatch.setattr(haproxy, "_TIMEOUT_S", 3)


@pytest.mark.usefixtures("impatient")
def test_h7_a_weight_that_could_not_be_given_back_stays_in_its_record(balancer: Balancer) -> None:
    record = lower(balancer, "web1")
    with balancer.stopped():
        given = swap.restore(haproxy, record)
    assert Path(record).exists()
    label = f"{balancer.socket}: web/web1"
    assert (given.weights, given.left, list(given.owed)) == ({}, {}, [label])
    assert given.owed[label]["weight"] == 100
    assert "timed out" in given.owed[label]["why"]
    assert swap.restore(haproxy, record).weights == {label: 100}
    assert (balancer.weight("web1"), Path(record).exists()) == (100, False)


@pytest.mark.usefixtures("impatient")
def test_h7_only_what_is_still_owed_stays_in_the_record(balancer: Balancer, second: Balancer) -> None:
    record = str(balancer.folder / "record.json")
    swap.lower(haproxy, [*planned(balancer, "web1"), *planned(second, "web1")], record)
    with second.stopped():
        swap.restore(haproxy, record)
    assert [entry.socket for entry in records.read_record(record)] == [second.socket]
    haproxy.set_weight(balancer.socket, "web", "web1", 50)  # somebody else's now
    swap.restore(haproxy, record)
    assert (balancer.weight("web1"), second.weight("web1")) == (50, 100)


@pytest.mark.usefixtures("impatient")
def test_h7_lowering_that_fails_keeps_what_it_could_not_take_back(
    balancer: Balancer, second: Balancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weight is set, but the answer to that is lost, and so is every later one."""
    record = str(tmp_path / "record.json")
    real = haproxy.ask
    stopped = second.stopped()

    def ask(path: str, command: str) -> str:
        answer = real(path, command)
        if path == second.socket and command.startswith("set weight"):
            stopped.__enter__()
        return str(answer)

    entries = [*planned(balancer, "web1"), *planned(second, "web1")]
    monkeypatch.setattr(haproxy, "ask", ask)
    try:
        with pytest.raises(BalancerError, match="timed out"):
            swap.lower(haproxy, entries, record)
    finally:
        stopped.__exit__(None, None, None)
    monkeypatch.setattr(haproxy, "ask", real)
    assert (balancer.weight("web1"), second.weight("web1")) == (100, 50)
    swap.restore(haproxy, record)
    assert second.weight("web1") == 100


def test_h7_the_timers_program_tries_until_all_is_given_back(balancer: Balancer) -> None:
    record = lower(balancer, "web1")
    alone = balancer.folder / "elsewhere"
    alone.mkdir()
    (alone / "record.py").write_bytes(timer.program(haproxy))
    with balancer.stopped():
        program = subprocess.Popen(
            [sys.executable, "-I", str(alone / "record.py"), record], stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        assert "web/web1: weight 100 is not given back yet: " in program.stdout.readline()
    assert program.wait(60) == 0
    assert (balancer.weight("web1"), Path(record).exists()) == (100, False)


def test_h7_a_server_that_is_gone_is_no_debt(balancer: Balancer, tmp_path: Path) -> None:
    """Else its record would be tried for ever."""
    record = tmp_path / "gone.json"
    for backend, server in (("web", "web9"), ("none", "web1")):
        entry = {"socket": balancer.socket, "backend": backend, "server": server, "before": 100, "set": 50}
        record.write_text(json.dumps({"token": "gone", "entries": [entry]}))
        given = swap.restore(haproxy, str(record))
        assert (len(given.left), given.owed, record.exists()) == (1, {}, False)


def test_h7_the_module_fails_where_a_weight_is_owed_and_keeps_its_timer(
    balancer: Balancer, tmp_path: Path
) -> None:
    run_module(balancer, tmp_path, {"state": "lowered", "token": "h7", "servers": ["web1"], "ttl": 600})
    with balancer.stopped():
        said = run_module(balancer, tmp_path, {"state": "restored", "token": "h7"})
    label = f"{balancer.socket}: web/web1"
    assert said["owed"][label]["weight"] == 100
    assert f"{label}: weight 100 is not given back yet: " in said["msg"]
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == ["h7.json", "h7.py"]
    assert run_module(balancer, tmp_path, {"state": "restored", "token": "h7"})["changed"]
    assert not list((tmp_path / "records").iterdir())
    end_timers(tmp_path)


# --- H8: somebody else's records


def test_h8_a_server_that_another_change_has_lowered_is_refused_and_counts_for_no_other(
    balancer: Balancer, tmp_path: Path
) -> None:
    first = {"state": "lowered", "token": "first", "servers": ["web1"], "wait": 0}
    assert run_module(balancer, tmp_path, first)["changed"]
    again = run_module(balancer, tmp_path, {**first, "token": "second"})
    assert "web/web1: the change first has lowered it and not given it back yet" in again["msg"]
    assert balancer.weight("web1") == 50
    others = {**first, "token": "second", "servers": ["web2"], "min_active": 2}
    assert (
        "only 1 other active servers would be left at full weight"
        in run_module(balancer, tmp_path, others)["msg"]
    )
    both = {**first, "token": "second", "servers": ["web1", "web2"], "unfit": "leave_out"}
    said = run_module(balancer, tmp_path, both)
    assert (list(said["unfit"]), list(said["weights"])) == (["web1"], [f"{balancer.socket}: web/web2"])
    assert run_module(balancer, tmp_path, {"state": "restored"})["changed"]
    assert (balancer.weight("web1"), balancer.weight("web2")) == (100, 100)
    end_timers(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"entries": [{"socket": 1, "backend": 2, "server": 3}]}'])
def test_h8_a_damaged_record_costs_no_other(balancer: Balancer, tmp_path: Path, text: str) -> None:
    lowered = {"state": "lowered", "token": "good", "servers": ["web1"], "wait": 0}
    run_module(balancer, tmp_path, lowered)
    bad = tmp_path / "records" / "bad.json"
    bad.write_text(text)
    os.utime(bad, (time.time() + 9, time.time() + 9))  # the newest, hence the first
    assert run_module(balancer, tmp_path, {**lowered, "token": "more", "servers": ["web2"]})["changed"]
    said = run_module(balancer, tmp_path, {"state": "restored"})
    assert f"{bad}: is damaged" in said["msg"]
    assert (balancer.weight("web1"), balancer.weight("web2")) == (100, 100)
    assert [path.name for path in (tmp_path / "records").glob("*.json")] == ["bad.json"]
    end_timers(tmp_path)


# --- H9: what an agent on a probed host says is in `show stat`


@pytest.fixture
def agent(balancer: Balancer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say this as the description of web1, which HAProxy takes from its agent."""

    def says(text: str) -> None:
        real = haproxy.ask

        def ask(path: str, command: str) -> str:
            answer = str(real(path, command))
            if command != "show stat":
                return answer
            head, *lines = answer.split("\n")
            column = head[2:].split(",").index("last_agt")
            for number, line in enumerate(lines):
                if line.startswith("web,web1,"):
                    cells = line.split(",")
                    cells[column] = text
                    lines[number] = ",".join(cells)
            return "\n".join([head, *lines])

        monkeypatch.setattr(haproxy, "ask", ask)

    return says


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x85", "\x1c", "\x0c"])
def test_h9_an_agents_text_makes_no_row_of_its_own(
    balancer: Balancer, agent: Callable[[str], None], separator: str
) -> None:
    agent(f"up{separator}web")
    names = [(server.backend, server.name) for server in haproxy.servers(balancer.socket)]
    assert ("web", "web2") in names
    assert len(names) == len(set(names)) == CONFIG.count("\n    server ")
    assert len(haproxy.statistics(balancer.socket)) == len(names) + CONFIG.count("\nbackend ")
    assert [entry.server for entry in planned(balancer, "web2")] == ["web2"]


@pytest.mark.parametrize("forged", ["up\nweb,web9,0,0,0,0", '"', "a,b", "a\rb"])
def test_h9_a_row_that_is_none_costs_no_other(
    balancer: Balancer, agent: Callable[[str], None], forged: str
) -> None:
    agent(forged)
    names = {(server.backend, server.name) for server in haproxy.servers(balancer.socket)}
    assert names >= {("web", "web2"), ("web", "web3"), ("pages", "web1")}
    assert ("web", "web9") not in names
    assert [entry.server for entry in planned(balancer, "web2")] == ["web2"]


def test_h6_the_last_active_server_is_never_lowered(balancer: Balancer) -> None:
    for name in ("web2", "web3"):
        haproxy.ask(balancer.socket, f"set server web/{name} state maint")
    with pytest.raises(BalancerError, match="only 0 other active servers would be left at full weight"):
        lower(balancer, "web1")
    assert balancer.weight("web1") == 100


def test_h6_all_at_once_are_the_last_ones(balancer: Balancer) -> None:
    with pytest.raises(BalancerError, match="probe fewer servers at once"):
        lower(balancer, "web1", "web2", "web3")


def test_a_command_cannot_carry_another_one(balancer: Balancer) -> None:
    with pytest.raises(BalancerError, match="more than one command"):
        haproxy.read_weight(balancer.socket, "web", "web1;disable server web/web2")
    assert balancer.status("web2") != "MAINT"


def test_no_balancer_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BalancerError, match="name an admin socket of a running HAProxy"):
        haproxy.servers(str(tmp_path / "none.sock"))


def test_sessions_are_waited_for_and_the_wait_ends(balancer: Balancer) -> None:
    """A server that takes a request and never answers keeps its session."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        haproxy.ask(balancer.socket, f"set server web/web1 addr 127.0.0.1 port {deaf.getsockname()[1]}")
        for name in ("web2", "web3"):
            haproxy.ask(balancer.socket, f"set server web/{name} state maint")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{balancer.folder}/site.sock")
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: sessions(balancer) == 1)
            entry = Entry(balancer.socket, "web", "web1", 100, 0)
            assert swap.wait_for_sessions(haproxy, [entry], {entry.label: 1}, 0.3) == (
                {entry.label: 1},
                False,
            )
        until(lambda: sessions(balancer) == 0)
        assert swap.wait_for_sessions(haproxy, [entry], {entry.label: 1}, 5) == ({entry.label: 0}, True)


def sessions(balancer: Balancer) -> int:
    return next(
        s.sessions for s in haproxy.servers(balancer.socket) if (s.backend, s.name) == ("web", "web1")
    )


# --- the module, as Ansible runs it


def run_module(balancer: Balancer, folder: Path, arguments: dict[str, Any], *options: str) -> dict[str, Any]:
    """The result of the module on this machine. check mode and diff by `options`."""
    given = {
        "sockets": [balancer.socket],
        "backends": ["web"],
        "record_dir": str(folder / "records"),
        **arguments,
    }
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local", "-i", "localhost,"),
            *("-e", f"ansible_python_interpreter={sys.executable}"),
            *("-m", "fleetdiag.systemtap.haproxy_weight", "-a", json.dumps(given), *options),
        ],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "=> {" in done.stdout, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("=> {") + 3 :])
    return result


def end_timers(folder: Path) -> None:
    """End the processes that stand for timers where there is no systemd."""
    subprocess.run(["pkill", "-f", f"{folder}/records"], check=False)


def test_the_module_lowers_once_and_gives_back_once(balancer: Balancer, tmp_path: Path) -> None:
    arguments = {"state": "lowered", "token": "sweep_1", "servers": ["web1"], "weight": "25%", "ttl": 600}
    would = run_module(balancer, tmp_path, arguments, "--check")
    assert would["changed"]
    assert balancer.weight("web1") == 100
    label = f"{balancer.socket}: web/web1"
    assert run_module(balancer, tmp_path, arguments)["weights"] == {label: {"before": 100, "after": 25}}
    assert balancer.weight("web1") == 25
    assert not run_module(balancer, tmp_path, arguments)["changed"]  # not 25 % of 25
    given = run_module(balancer, tmp_path, {"state": "restored", "token": "sweep_1"})
    assert (given["changed"], given["left"], balancer.weight("web1")) == (True, {}, 100)
    assert not run_module(balancer, tmp_path, {"state": "restored", "token": "sweep_1"})["changed"]
    end_timers(tmp_path)


@pytest.mark.parametrize("order", [("old1", "new1", "new2"), ("new2", "new1", "old1")])
def test_a_backend_without_weights_costs_no_other_server(
    balancer: Balancer, tmp_path: Path, order: tuple[str, ...]
) -> None:
    """show stat says which algorithm it is; of a hash only the answer says whether it takes weights."""
    arguments = {
        "state": "lowered",
        "token": "t",
        "servers": [*order],
        "backends": [],
        "unfit": "leave_out",
        "ttl": 600,
    }
    would = run_module(balancer, tmp_path, arguments, "--check")
    assert [name for name, why in would["unfit"].items() if "turns/new2: balance static-rr" in why] == [
        "new2"
    ]
    done = run_module(balancer, tmp_path, arguments)
    assert set(done["unfit"]) == {"old1", "new2"}
    assert "fixed/old1" in done["unfit"]["old1"]
    assert "static LB algorithm" in done["unfit"]["old1"]
    assert set(done["weights"]) == {f"{balancer.socket}: mixed/new1"}
    assert [balancer.weight(name, "mixed") for name in ("old1", "new1", "new2")] == [10, 5, 10]
    given = run_module(balancer, tmp_path, {"state": "restored", "token": "t"})
    assert set(given["weights"]) == {f"{balancer.socket}: mixed/new1"}
    assert balancer.weight("new1", "mixed") == 10
    end_timers(tmp_path)


def test_a_server_that_is_asked_for_its_weight_is_named(balancer: Balancer, tmp_path: Path) -> None:
    arguments = {
        "state": "lowered",
        "token": "t",
        "servers": ["new1", "new4"],
        "backends": ["mixed"],
        "ttl": 600,
    }
    would = run_module(balancer, tmp_path, arguments, "--check")
    assert len(would["weights"]) == 2
    assert would["agents"] == [f"{balancer.socket}: mixed/new4"]


def test_where_nothing_takes_a_weight_nothing_is_left_behind(balancer: Balancer, tmp_path: Path) -> None:
    arguments = {
        "state": "lowered",
        "token": "t",
        "servers": ["old1"],
        "backends": [],
        "unfit": "leave_out",
        "ttl": 600,
    }
    done = run_module(balancer, tmp_path, arguments)
    assert (set(done["unfit"]), done["weights"], done["changed"]) == ({"old1"}, {}, False)
    assert balancer.weight("old1", "mixed") == 10
    assert list((tmp_path / "records").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"token": "../x", "servers": ["web1"]}, "token: '../x' is not usable"),
        ({"token": "t", "servers": ["web1;disable"]}, "is not a name in HAProxy"),
        ({"token": "t", "servers": ["web1"], "floor": 200}, "floor: 200 is not a share"),
    ],
)
def test_the_module_says_what_is_wrong(
    balancer: Balancer, tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    assert said in run_module(balancer, tmp_path, {"state": "lowered", **arguments})["msg"]


# --- the role, on two balancers


PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: fleetdiag.systemtap.drain
      vars:
        drain_token: look
        drain_servers: [web1]
        drain_backends: [web]
        drain_ttl: 600
        drain_wait: 0
    - ansible.builtin.copy:
        content: "{{ drain_results | to_json }}"
        dest: "{{ playbook_dir }}/results.json"
        mode: "600"
"""


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path)
    yield balancer
    balancer.process.terminate()
    balancer.process.wait(30)


def drain(
    balancers: dict[str, list[str]],
    folder: Path,
    state: str,
    *,
    timeout: float | None = None,
    env: dict[str, str] | None = None,
    **variables: Any,
) -> subprocess.CompletedProcess[str]:
    """The role in a playbook; balancers: {name: sockets}."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {
        name: {**local, "drain_sockets": sockets, "drain_record_dir": str(folder / f"records_{name}")}
        for name, sockets in balancers.items()
    }
    (folder / "hosts.json").write_text(
        json.dumps({"all": {"hosts": {"localhost": local}, "children": {"load_balancers": {"hosts": hosts}}}})
    )
    (folder / "play.yml").write_text(PLAY)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [
        program,
        "-i",
        str(folder / "hosts.json"),
        str(folder / "play.yml"),
        "-e",
        json.dumps({"drain_state": state, **variables}),
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


def test_the_role_lowers_on_both_balancers_and_gives_back(
    balancer: Balancer, second: Balancer, tmp_path: Path
) -> None:
    both = {"lb1": [balancer.socket], "lb2": [second.socket]}
    done = drain(both, tmp_path, "lowered")
    assert done.returncode == 0, done.stdout
    assert (balancer.weight("web1"), second.weight("web1")) == (50, 50)
    done = drain(both, tmp_path, "restored")
    assert done.returncode == 0, done.stdout
    assert (balancer.weight("web1"), second.weight("web1")) == (100, 100)
    end_timers(tmp_path)


def test_the_role_gives_back_what_it_can_and_fails_where_a_balancer_does_not_answer(
    balancer: Balancer, second: Balancer, tmp_path: Path
) -> None:
    both = {"lb1": [balancer.socket], "lb2": [second.socket]}
    assert drain(both, tmp_path, "lowered").returncode == 0
    with balancer.stopped():
        done = drain(both, tmp_path, "restored")
    assert done.returncode != 0
    assert f"lb1: {balancer.socket}: web/web1: weight 100 is not given back yet: " in done.stdout
    assert second.weight("web1") == 100
    assert drain(both, tmp_path, "restored").returncode == 0
    assert balancer.weight("web1") == 100
    end_timers(tmp_path)


def test_a_balancer_that_answers_slowly_is_asked_for_its_counts_for_seconds_only(
    balancer: Balancer, tmp_path: Path
) -> None:
    """One says a byte at a time and never ends; the other is asked all the same."""
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.bind(str(tmp_path / "slow.sock"))
        slow.listen()

        def drip() -> None:
            client, _ = slow.accept()
            with client, suppress(OSError):
                while not ended.wait(0.2):
                    client.sendall(b"#")

        threading.Thread(target=drip, daemon=True).start()
        both = {"lb1": [str(tmp_path / "slow.sock")], "lb2": [balancer.socket]}
        try:
            done = drain(both, tmp_path, "seen", timeout=100)
        finally:
            ended.set()
    assert done.returncode == 0, done.stdout
    assert "timed out" in done.stdout


@pytest.fixture
def held(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return an environment in which LVS's program never ends; it may as well be a connection."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ipvsadm"
    os.mkfifo(tmp_path / "never")
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/never\n")
    program.chmod(0o755)
    yield {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    os.close(os.open(tmp_path / "never", os.O_RDWR))  # what still waits for it ends


def test_all_that_are_asked_for_counts_have_one_limit_whatever_holds_them(
    tmp_path: Path, held: dict[str, str]
) -> None:
    three, lvs = {"lb1": [], "lb2": [], "lb3": []}, {"drain_kind": "lvs", "drain_count_timeout": 6}
    done = drain(three, tmp_path, "seen", timeout=300, env=held, **lvs)
    assert done.returncode == 0, done.stdout
    said = json.loads((tmp_path / "results.json").read_text())
    assert list(said) == ["lb1", "lb2", "lb3"]
    assert sum(one["timedout"]["period"] for one in said.values()) <= 6


def test_a_balancer_that_is_held_up_counts_as_one_that_refused(tmp_path: Path, held: dict[str, str]) -> None:
    lvs = {"drain_kind": "lvs", "drain_wait": 1, "drain_timeout": 2, "drain_backends": ["tcp 192.0.2.1:80"]}
    done = drain({"lb1": []}, tmp_path, "lowered", timeout=300, env=held, **lvs)
    assert done.returncode != 0
    assert re.search(r"no weight was lowered: lb1: .*3 second", done.stdout), done.stdout


def test_one_balancer_that_refuses_takes_the_others_back(balancer: Balancer, tmp_path: Path) -> None:
    done = drain({"lb1": [balancer.socket], "lb2": [str(tmp_path / "none.sock")]}, tmp_path, "lowered")
    assert done.returncode != 0
    assert "no weight was lowered: " in done.stdout
    assert "name an admin socket of a running HAProxy" in done.stdout
    assert balancer.weight("web1") == 100
    end_timers(tmp_path)
