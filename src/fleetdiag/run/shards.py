# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag sweep --shards N`: the hosts of a sweep dealt out to several workers of ansible-runner, one report.

Each shard is a sweep of its own: `ansible-runner transmit` packs what it needs, a worker (here, or wherever a given
command runs one) does it, and `ansible-runner process` takes back its events and artifacts, with the run directory
among them. All shards have the same window. Their run directories are part of one, that of the sweep, which has its
report, its figures and its news.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.names import is_id
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    SweepRecord,
)
from fleetdiag import paths
from fleetdiag.run import inventory, playbook, progress
from fleetdiag.run.gathered import Shard, gathered

MAX_SHARDS = 100
DEFAULT_LEAD_S = 180
"""From the beginning of a sharded sweep to its window where no earlier sweep tells how long it takes."""
LOOKED_AT = 5
"""Earlier sweeps that tell."""
MIN_LEAD_S = 60

_IDENT = "shard"
_ARTIFACTS = "{{ lookup('ansible.builtin.env', 'AWX_ISOLATED_DATA_DIR') }}"
"""On the worker: where ansible-runner collects what it brings back."""
_PROJECT = _ARTIFACTS + "/../../project"
# How long workers may take to send what is there after an interrupt.
_GRACE_S = 20.0
_ANYWHERE = ("~/.ansible/collections", "/usr/share/ansible/collections")


@dataclass(frozen=True)
class Sharding:
    """How a sweep is dealt out. workers: commands that run `ansible-runner worker`, taken in turn; none: run it here.

    lead_s: seconds until the window begins, 0 to learn them from earlier sweeps.
    """

    shards: int = 1
    workers: Sequence[str] = ()
    lead_s: int = 0


def check(sharding: Sharding) -> None:
    """Raise FleetdiagError for what cannot be."""
    if not 1 <= sharding.shards <= MAX_SHARDS:
        raise FleetdiagError(f"--shards {sharding.shards}: is out of range; choose 1 to {MAX_SHARDS}")
    if sharding.workers and sharding.shards < len(sharding.workers):
        raise FleetdiagError(
            f"--worker: {len(sharding.workers)} workers for {sharding.shards} shards; give --shards"
            f" {len(sharding.workers)} or more"
        )
    for command in sharding.workers:
        if not _words(command):
            raise FleetdiagError(
                "--worker: is empty; say a command such as 'ssh other ansible-runner worker'"
            )


def dealt(hosts: Sequence[str], shards: int) -> list[list[str]]:
    """Return the hosts of each shard, one to each in turn, so that all have of every group; none is empty."""
    return [list(hosts[number :: min(shards, len(hosts))]) for number in range(min(shards, len(hosts)))]


def run(
    name: str,
    reach: playbook.Reach,
    hosts: Sequence[str],
    variables: Mapping[str, Any],
    sharding: Sharding,
    on_event: Callable[[playbook.Event], None],
    stop: playbook.Stop,
) -> Path | None:
    """Run the playbook in shards to their ends, whatever these are; return the run directory that has those of all.

    None if it was interrupted before there was one. FleetdiagError if no shard came to have one.
    """
    runs_dir = Path(str(variables["sweep_runs_dir"]))
    lead_s = sharding.lead_s or learned_lead_s(runs_dir)
    shared = {**variables, "sweep_start": round(time.time() + lead_s)}
    with playbook.private_dir() as private:
        exported = inventory.export(reach.inventory, reach.login)
        commands = [_words(command) for command in sharding.workers]
        shards = [
            Shard(
                number,
                names,
                commands[(number - 1) % len(commands)] if commands else [],
                private / str(number),
            )
            for number, names in enumerate(dealt(hosts, sharding.shards), 1)
        ]
        for shard in shards:
            _prepare(shard, reach, exported, shared)
        _work(name, shards, reach, on_event, stop)
        return gathered(shards, runs_dir, stop)


def learned_lead_s(runs_dir: Path) -> int:
    """Return half as much again as the slowest of the last few sweeps there took until all hosts were armed."""
    try:
        names = sorted(item.name for item in runs_dir.iterdir() if is_id(item.name))[-LOOKED_AT:]
    except OSError:
        names = []
    took = [seconds for name in names if (seconds := _lead_of(runs_dir / name)) is not None]
    return max(MIN_LEAD_S, round(1.5 * max(took))) if took else DEFAULT_LEAD_S


def _lead_of(path: Path) -> float | None:
    try:
        sweep = read.request(path) or SweepRecord()
        events = [event for part in read.parts(path) for event in read.read_events(part)]
        armed = max(event.t for event in events if event.phase == "arm" and event.t)
        return armed - datetime.fromisoformat(sweep.created).timestamp()
    except (FleetdiagError, KeyError, TypeError, ValueError):
        return None


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as why:
        raise FleetdiagError(f"--worker {command}: {why}; quote it as a shell would") from why


# --- what a worker needs ---


def _prepare(shard: Shard, reach: playbook.Reach, exported: str, variables: Mapping[str, Any]) -> None:
    """Fill the private data directory that is transmitted."""
    own = {**variables, "fleetdiag_hosts": shard.hosts, "sweep_runs_dir": f"{_ARTIFACTS}/runs"}
    catalogs = []
    for number, catalog in enumerate(variables["sweep_catalogs"]):
        shutil.copytree(catalog, shard.folder / "project" / "catalogs" / str(number))
        catalogs.append(f"{_PROJECT}/catalogs/{number}")
    own["sweep_catalogs"] = catalogs
    collection = Path("ansible_collections/fleetdiag/systemtap")
    shutil.copytree(
        paths.collections_dir() / collection,
        shard.folder / "project" / "collections" / collection,
        ignore=shutil.ignore_patterns("__pycache__", "tests", "output"),
    )
    environment = {
        **{name: value for name, value in playbook.environment().items() if name != "PATH"},
        **reach.login.environment,
        **playbook.kept_connections(reach.pause_s),
        # Relative to the project, from where ansible-runner starts the playbook.
        "ANSIBLE_COLLECTIONS_PATH": ":".join(["collections", *_ANYWHERE]),
        "ANSIBLE_HOST_KEY_CHECKING": str(playbook.checks_host_keys()),
    }
    texts = {
        "inventory/hosts.yml": exported,
        "env/extravars": json.dumps(own),
        "env/envvars": json.dumps(environment),
        "env/settings": json.dumps({"pexpect_timeout": 1}),
        "env/cmdline": shlex.join(playbook.arguments(reach)),
        "env/passwords": json.dumps(reach.login.replies),
    }
    for file, text in texts.items():
        path = shard.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


# --- transmit, worker, process ---


def _work(
    name: str,
    shards: Sequence[Shard],
    reach: playbook.Reach,
    on_event: Callable[[playbook.Event], None],
    stop: playbook.Stop,
) -> None:
    """Run all shards at the same time, until each has ended or is lost."""
    lock = threading.Lock()

    def take(event: playbook.Event) -> bool:
        with lock:
            on_event(event)
            playbook.show(event, reach)
        return False

    ended: queue.SimpleQueue[Shard] = queue.SimpleQueue()

    def process(shard: Shard) -> None:
        try:
            _process(shard, take)
        except Exception as why:  # whatever a worker sends ends this shard only
            shard.lost = shard.lost or f"what its worker sent cannot be read ({why})"
        finally:
            ended.put(shard)

    for shard in shards:
        if not stop.requested:
            _start(shard, name, reach, stop)
        threading.Thread(target=process, args=(shard,), daemon=True).start()
    _wait(shards, ended, stop)


def _start(shard: Shard, name: str, reach: playbook.Reach, stop: playbook.Stop) -> None:
    """Transmit the shard into a file, and start its worker with that."""
    from ansible_runner.interface import run as ansible_runner

    stream = shard.folder.with_suffix(".transmitted")
    with stream.open("wb") as out:
        ansible_runner(
            streamer="transmit",
            _output=out,
            private_data_dir=str(shard.folder),
            playbook=name,
            ident=_IDENT,
            forks=reach.forks,
            verbosity=reach.verbosity or None,
            fact_cache_type="memory",
            cancel_callback=stop.kill_now,  # without one ansible-runner takes the signals from us
        )
    here = [sys.executable, "-m", "ansible_runner", "worker", "--private-data-dir", str(shard.own)]
    try:
        with stream.open("rb") as given:
            shard.process = subprocess.Popen(
                shard.worker or here,
                stdin=given,
                stdout=subprocess.PIPE,
                env={**os.environ, **_local(shard)},
                start_new_session=True,  # an interrupt at the terminal reaches it through us only
            )
    except OSError as why:
        shard.lost = f"its worker cannot be started ({why.filename}: {why.strerror})"
    finally:
        stream.unlink()


def _local(shard: Shard) -> dict[str, str]:
    """Return the variables by which a worker that runs here finds Ansible and its configuration as the operator does."""
    return {} if shard.worker else {"PATH": playbook.environment()["PATH"], **playbook.configuration()}


def _process(shard: Shard, take: Callable[[playbook.Event], bool]) -> None:
    """Take back what the worker sends, to its end."""
    from ansible_runner.interface import run as ansible_runner

    if shard.process is None:
        shard.lost = shard.lost or "it was interrupted before its worker was started"
        return
    said: dict[str, Any] = {}
    assert shard.process.stdout is not None
    back = shard.folder / "back"
    back.mkdir()
    ansible_runner(
        streamer="process",
        _input=shard.process.stdout,
        private_data_dir=str(back),
        ident=_IDENT,
        quiet=True,
        event_handler=take,
        status_handler=lambda data, runner_config: said.update(data),  # noqa: ARG005 - its signature
    )
    _drain(shard.process.stdout)
    code = shard.process.wait()
    shard.run_dir = _run_dir(back) or _run_dir(shard.own)
    if said.get("status") == "error" or shard.run_dir is None:
        shard.lost = _why_lost(code, said)


def _drain(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while stream.read(65536):
            pass


def _run_dir(private: Path) -> Path | None:
    found = sorted(private.glob(f"artifacts/{_IDENT}/runs/*/sweep.json"))
    return found[0].parent if found else None


def _why_lost(code: int, said: Mapping[str, Any]) -> str:
    if code < 0:
        return f"its worker was killed by signal {-code}"
    if code:
        return f"its worker ended with exit code {code}"
    return progress.first_line(said.get("job_explanation") or "its worker sent no run directory")


def _wait(shards: Sequence[Shard], ended: queue.SimpleQueue[Shard], stop: playbook.Stop) -> None:
    left = len(shards)
    since: float | None = None
    while left:
        with contextlib.suppress(queue.Empty):
            ended.get(timeout=0.5)
            left -= 1
        if not stop.requested:
            continue
        late = since is not None and time.monotonic() - since > _GRACE_S
        for shard in shards:
            if shard.process is not None and shard.process.poll() is None:
                if late or stop.insisted:
                    shard.process.kill()
                elif since is None:
                    shard.process.terminate()  # ansible-runner ends the playbook, and sends what is there
        since = since or time.monotonic()
