# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the collection's playbooks, run through ansible-runner: what every command that reaches hosts shares.

An interrupt ends the playbook in order; nothing of what the hosts answered is kept on disk by ansible-runner.
"""

from __future__ import annotations

import configparser
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from fleetdiag import paths
from fleetdiag.run import progress
from fleetdiag.run.login import Login, unanswered

CALLBACK = "fleetdiag.systemtap.report"
DEFAULT_FORKS = 25

# How long ansible-playbook may take to end its workers after the first interrupt.
_GRACE_S = 10.0
# The longest directory in which ssh can make its sockets: 108 bytes less Ansible's name and ssh's suffix.
_PRIVATE = "sweep-"
_LEFT_AFTER_S = 2 * 86_400  # longer than any sweep, also of versions that took no lock
_MAX_CONTROL_DIR = 78

# What the operator's configuration may say otherwise, and what would then end a sweep, leave out its steps, or hide its
# answers. What plays and tasks can say themselves stands there: any_errors_fatal, strategy, timeout.
_PROMISED = {
    "ANSIBLE_FORCE_COLOR": "0",
    "ANSIBLE_HOST_PATTERN_MISMATCH": "warning",
    "ANSIBLE_ENABLE_TASK_DEBUGGER": "0",
    "ANSIBLE_RUN_TAGS": "all",
    "ANSIBLE_SKIP_TAGS": "",
    "ANSIBLE_VERBOSITY": "0",
    "ANSIBLE_DEBUG": "0",
}

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Reach:
    """How Ansible reaches the hosts. inventory: as `inventory.sources` gives it; verbosity: number of v.

    pause_s: how long a host may wait for its next command, so that its connection is kept.
    """

    inventory: Sequence[str]
    limit: str = ""
    forks: int = DEFAULT_FORKS
    login: Login = field(default_factory=Login)
    extra_vars: Sequence[str] = ()
    verbosity: int = 0
    pause_s: int = 0


class Stop:
    """Turns SIGINT, SIGTERM, SIGHUP into an orderly end: the playbook is interrupted, the rest still done.

    A second signal, or ten seconds without an end, kills the playbook. said: what the operator is told then.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._since: float | None = None
        self._again = False
        self.pid: int | None = None

    @property
    def requested(self) -> bool:
        """Return whether a signal has come."""
        return self._since is not None

    @property
    def insisted(self) -> bool:
        """Return whether a second signal has come."""
        return self._again

    def kill_now(self) -> bool:
        """Return whether to kill the playbook at once; ansible-runner asks this all the time."""
        if self._since is None:
            return False
        # A playbook that has not yet said its process id has done nothing yet.
        return self._again or self.pid is None or time.monotonic() - self._since > _GRACE_S

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals here for as long as the playbook runs."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: object) -> None:
        if self._since is not None:
            self._again = True
            return
        self._since = time.monotonic()
        if self.pid is not None:
            # Its own way to end its workers, which are in sessions of their own, out of the terminal's reach.
            _signal_process(self.pid, signal.SIGINT)
        os.write(2, f"\nfleetdiag: {self._said}\n".encode())


def run(
    playbook: str,
    reach: Reach,
    variables: Mapping[str, Any],
    on_event: Callable[[Event], None],
    stop: Stop,
) -> str:
    """Run the playbook to its end, whatever that is; return the last of what it printed (at most 64 KiB)."""
    # Late: slow to import, and not needed to find bad input.
    from ansible_runner.interface import init_runner

    def take(event: Event) -> bool:
        if event.get("event") == "playbook_on_start":
            stop.pid = event.get("pid")
        on_event(event)
        show(event, reach)
        return False  # nothing of it is kept on disk: events hold all that hosts have answered

    with private_dir() as private, _control_dir() as control:
        folder = private / "env"
        folder.mkdir()
        # A file, not arguments: those can be read by everybody in the list of processes.
        (folder / "extravars").write_text(json.dumps(dict(variables)), encoding="utf-8")
        (folder / "settings").write_text(json.dumps({"pexpect_timeout": 1}), encoding="utf-8")
        runner = init_runner(
            private_data_dir=str(private),
            project_dir=str(Path.cwd()),  # so that ansible.cfg is looked for where the operator stands
            playbook=playbook,
            inventory=list(reach.inventory),
            limit=reach.limit or None,
            forks=reach.forks,
            cmdline=shlex.join(arguments(reach)) or None,
            passwords=reach.login.replies,
            envvars={
                **environment(),
                **reach.login.environment,
                **kept_connections(reach.pause_s),
                **control,
                "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
            },
            verbosity=reach.verbosity or None,
            fact_cache_type="memory",  # anything but jsonfile: no cache of ansible-runner's own
            suppress_env_files=True,  # ansible-runner would write the password too
            quiet=True,
            event_handler=take,
            cancel_callback=stop.kill_now,
        )
        # ansible-runner switches the check of host keys off unless told otherwise; here the operator decides.
        if "ANSIBLE_HOST_KEY_CHECKING" not in os.environ:
            runner.config.env.pop("ANSIBLE_HOST_KEY_CHECKING", None)
        if not stop.requested:
            runner.run()
        output = Path(runner.config.artifact_dir) / "stdout"
        return output.read_bytes()[-65536:].decode("utf-8", "replace") if output.is_file() else ""


def show(event: Event, reach: Reach) -> None:
    """Print to standard error what Ansible printed, where the operator wants to see it."""
    if reach.verbosity and event.get("stdout"):
        print(*map(printable, event["stdout"].splitlines()), sep="\n", file=sys.stderr)


def reason(output: str, login: Login | None = None) -> str:
    """Return why a playbook did nothing: the question that nobody answered, Ansible's first error, or its last line."""
    if question := unanswered(output, login) if login else "":
        return f"Ansible asked '{question}', and nobody could answer"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "[ERROR]"))]
    for line in errors or lines[-1:]:
        return progress.first_line(re.sub(r"^(ERROR!|ERROR:|\[ERROR\]:)\s*", "", line))
    return "ansible-playbook said nothing; run it again with -v"


def check_forks(forks: int) -> None:
    """Raise FleetdiagError where `--forks` is out of range."""
    if not 1 <= forks <= 500:
        raise FleetdiagError(f"--forks {forks}: is out of range; choose 1 to 500")


def arguments(reach: Reach) -> list[str]:
    """Return arguments that ansible-runner has no words for; our own variables come after them."""
    return [
        *reach.login.words,
        *(word for text in reach.extra_vars for word in ("--extra-vars", _extra(text))),
    ]


def _extra(text: str) -> str:
    """Return a value of `--extra-vars` in which a file is named so that it is found from everywhere."""
    return f"@{absolute(text[1:])}" if text.startswith("@") else text


def _signal_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def environment() -> dict[str, str]:
    """Return the environment of Ansible's commands: this command's collection first, the rest as the operator has it."""
    enabled = os.environ.get("ANSIBLE_CALLBACKS_ENABLED", "").replace(" ", "").split(",")
    collections = [str(paths.collections_dir()), *_configured_collections()]
    # ansible-playbook lies beside this Python, also when the environment was never activated.
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return {
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(dict.fromkeys([CALLBACK, *filter(None, enabled)])),
        "ANSIBLE_COLLECTIONS_PATH": ":".join(dict.fromkeys(collections)),
        "ANSIBLE_PIPELINING": "1",
        **_timeout(),
        "ANSIBLE_NOCOLOR": "1",
        **_PROMISED,
        "FLEETDIAG_REPORT_MAKE": "0",  # it is made here, once, also of what an interrupted playbook has left
        "PATH": ":".join(programs),
    }


def _timeout() -> dict[str, str]:
    """Return the time in which a host must let Ansible become root; the operator's own words win.

    Hosts are probed because they are slow: ten seconds, Ansible's own limit, is not long there.
    """
    from ansible import constants

    origin = constants.config.get_config_value_and_origin("DEFAULT_TIMEOUT")[1]
    return {"ANSIBLE_TIMEOUT": "30"} if origin == "default" else {}


def kept_connections(pause_s: int) -> dict[str, str]:
    """Return the environment in which a command after the pause needs no second login; the operator's own words win.

    Without compression: what is sent is compressed already.
    """
    from ansible import constants

    own = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error, UnicodeDecodeError):  # Ansible itself complains of it, and better
        own.read(constants.CONFIG_FILE or [])
    if "ANSIBLE_SSH_ARGS" in os.environ or own.has_option("ssh_connection", "ssh_args"):
        return {}
    return {"ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist={pause_s + 120}s"}


def configuration() -> dict[str, str]:
    """Return the environment in which Ansible reads the configuration that it would read where the operator stands."""
    from ansible import constants

    return {"ANSIBLE_CONFIG": str(constants.CONFIG_FILE)} if constants.CONFIG_FILE else {}


def checks_host_keys() -> bool:
    """Return whether the operator's Ansible checks host keys; ansible-runner switches it off unless it is told."""
    from ansible import constants

    return bool(constants.config.get_config_value("HOST_KEY_CHECKING"))


def _configured_collections() -> list[str]:
    """Return where the operator's Ansible looks for collections; inventory plugins may come from there."""
    from ansible import constants

    return [str(path) for path in constants.COLLECTIONS_PATHS]


@contextmanager
def _control_dir() -> Iterator[dict[str, str]]:
    """Yield the environment that says where ssh keeps its sockets: Ansible's own place unless that is too long."""
    own = str(Path.home() / ".ansible" / "cp")
    if len(own) <= _MAX_CONTROL_DIR or "ANSIBLE_SSH_CONTROL_PATH_DIR" in os.environ:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as name:
        yield {"ANSIBLE_SSH_CONTROL_PATH_DIR": name}


@contextmanager
def _held(folder: Path) -> Iterator[int]:
    """Yield a descriptor of a directory; a lock on it ends with its holder, however that ends."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _remove_leftovers(base: Path) -> None:
    """Remove what killed commands have left: old, and held by nobody. It has the answers of hosts in it."""
    for folder in base.glob(f"{_PRIVATE}*"):
        with suppress(OSError), _held(folder) as fd:
            if time.time() - os.fstat(fd).st_mtime > _LEFT_AFTER_S:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_dir() -> Iterator[Path]:
    """Yield a directory only this user can enter, gone afterwards: the answers of hosts pass through it."""
    base = paths.state_dir()
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_leftovers(base)
        with (
            tempfile.TemporaryDirectory(prefix=_PRIVATE, dir=base, ignore_cleanup_errors=True) as name,
            _held(Path(name)) as fd,
        ):
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield Path(name)
    except PermissionError as error:
        raise FleetdiagError(
            f"{base}: cannot be written to; set XDG_STATE_HOME to a place of yours"
        ) from error


def absolute(name: str) -> Path:
    """Return an absolute path; `~` of a user that does not exist stays as it is, and is then complained of as that."""
    return Path(os.path.expanduser(name)).absolute()
