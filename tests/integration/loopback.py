# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts that are this machine: one sshd on the loopback, a private view of the file system for each host.

What is real: ssh, Ansible, guard.sh as it is shipped, with its files, locks and checksums. What is not: `staprun`,
`systemctl` and `systemd-run` are stand-ins, because one machine has one kernel and one systemd. A session is no kernel
module but an entry in `Sessions`, which writes what a real one printed once (a probe's sample.out) into its output, with
the times at which it did so. Nothing in guard.sh knows of this: each host is a mount namespace of its own, in which
/var/lib/fleetdiag, /run and /usr/sbin are other directories, and sshd enters it by the address a connection came to.

Needs root on a machine of one's own, sshd, unshare and nsenter. Nothing outside the folder is changed.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility, sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import (
    ProbeRecord,
    SweepRecord,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_program
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_program import FILES

STAP = compatibility.FIRST_GOOD
LOOKS_S = 0.2  # how often a session sees whether it was told its window
MODULE_BYTES = 400_000  # of a small probe; half of it does not compress
PROGRAMS = ("sshd", "ssh-keygen", "unshare", "nsenter", "mount")

STAPRUN = f"""#!/bin/sh
case $1 in
-V) echo 'Systemtap module loader/runner (version {STAP}/0.192)' ;;
-d) rm -rf "/proc/systemtap/$2" ;;
*) echo fleetdiag-smoke-ok ;;
esac
"""
# A unit that is set or runs is a file; sessions are started by whoever reads the pipe.
SYSTEMD_RUN = """#!/bin/sh
for word; do case $word in --unit=*) unit=${word#--unit=} ;; esac; done
: >"/run/units/$unit"
"""
SYSTEMCTL = """#!/bin/sh
for word; do unit=$word; done
case $* in
*is-active*) [ -e "/run/units/${unit%.timer}" ] ;;
*' start '*)
    [ ! -e /run/refuses ] || exit 1
    read -r host </run/host
    for unit; do
        [ -e "/run/systemd/system/$unit" ] || continue
        : >"/run/units/$unit"
        out=$(sed -n 's/^StandardOutput=file://p' "/run/systemd/system/$unit")
        read -r words <"${out%/out}/command"
        printf '%s\\n' "$host --unit=$unit StandardOutput=file:$out $words" >/run/sessions
    done ;;
*stop*) for word; do rm -f "/run/units/${word%.timer}"; done ;;
*'show --property=MainPID'*) echo MainPID=812 ;;
--version) echo 'systemd 257 (257)' ;;
esac
"""
UNAME = """#!/bin/sh
[ "$*" = -r ] && [ -e /run/kernel ] && exec cat /run/kernel
exec /usr/bin/uname "$@"
"""
VIRT = "#!/bin/sh\necho none\n"
# What a host sends is cut off as often as /run/cut says.
BASE64 = """#!/bin/sh
read -r times </run/cut && [ "$times" -gt 0 ] && echo $((times - 1)) >/run/cut && exec head -c 10
exec /usr/bin/base64 "$@"
"""
ENTER = """#!/bin/sh
set -- $SSH_CONNECTION
echo "$SSH_ORIGINAL_COMMAND" >>"{folder}/commands/$3"
[ ! -e "{folder}/slow/$3" ] || read -r seconds <"{folder}/slow/$3" && sleep "${{seconds:-0}}"
answers="{folder}/answers/$3"
[ -e "$answers" ] || answers=-c
exec nsenter --mount="{folder}/ns/$3" /bin/sh "$answers" "$SSH_ORIGINAL_COMMAND"
"""
SSHD = """
Port {port}
ListenAddress 0.0.0.0
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin yes
MaxStartups 2000
MaxSessions 1000
LogLevel ERROR
Subsystem sftp /usr/lib/openssh/sftp-server
ForceCommand {folder}/enter
# bash takes a command of ssh for the first shell of a login, and would read ~/.bashrc, whatever stands there.
SetEnv SHLVL=1
"""


@dataclass
class Session:
    """One session that plays a recording.

    As seen from outside the host, path: where its output goes; unit: its unit; module: its part of /proc/systemtap.
    """

    path: Path
    unit: Path
    module: Path
    nonce: str
    start: float
    end: float
    recording: list[str]
    started_at: float | None = None

    def line(self, sequence: int, table: str, rest: str, ms: int) -> str:
        return f"{self.nonce}\t{sequence}\t{table}\t{ms}\t{rest}\n"


@dataclass(order=True)
class _Due:
    at: float
    number: int
    act: Callable[[], None] = field(compare=False)


class Sessions(threading.Thread):
    """Stands in for every kernel and every systemd of the fleet: starts what `systemctl` wrote into the pipe."""

    def __init__(self, folder: Path, *, arming_s: float) -> None:
        super().__init__(daemon=True)
        self._folder, self._arming_s = folder, arming_s
        self._pipe = folder / "sessions"
        os.mkfifo(self._pipe)
        self._fd = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
        self._due: list[_Due] = []
        self._number = 0
        self.sessions: list[Session] = []
        self.started: list[str] = []  # what systemd was asked, with the host in front
        self.stepped_back_s: dict[str, float] = {}  # by host: its clock is set back while sessions are armed
        self.arming_s: dict[str, float] = {}  # of hosts that take another time to arm
        self.recordings = {
            path.parent.name: path.read_text().splitlines()
            for path in (FILES / "probes").glob("*/sample.out")
        }
        self.of_host: dict[tuple[str, str], list[str]] = {}  # what a probe of one host prints instead
        self.ended = threading.Event()

    def run(self) -> None:
        """Read the pipe, do what is due; until `ended`."""
        import select

        rest = b""
        while not self.ended.is_set():
            wait = 0.2 if not self._due else min(0.2, max(0.0, self._due[0].at - time.time()))
            if select.select([self._fd], [], [], wait)[0]:
                *lines, rest = (rest + os.read(self._fd, 1 << 16)).split(b"\n")
                for line in lines:
                    self._start(line.decode())
            while self._due and self._due[0].at <= time.time():
                heapq.heappop(self._due).act()

    def _at(self, when: float, act: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, _Due(when, self._number, act))

    def _start(self, command: str) -> None:
        host, *words = command.split()
        self.started.append(command)
        values = dict(word.split("=", 1) for word in words if word.startswith("fd_"))
        out = next(word for word in words if word.startswith("StandardOutput=file:")).partition(":")[2]
        lib = self._folder / "hosts" / host / "lib"
        path = lib / Path(out).relative_to("/var/lib/fleetdiag")
        (module,) = (Path(word) for word in words if word.endswith(".ko"))
        data = (lib / module.relative_to("/var/lib/fleetdiag")).read_bytes()
        unit = next(word for word in words if word.startswith("--unit=")).partition("=")[2]
        session = Session(
            path,
            self._folder / "hosts" / host / "run" / "units" / unit,
            self._folder / "hosts" / host / "systemtap" / module.stem,
            data.partition(b"nonce=")[2][:16].decode(),
            int(values.get("fd_window_start_ms", 0)) / 1000,
            int(values.get("fd_window_end_ms", 0)) / 1000,
            [line for line in self._recorded(host, path.parent.name) if "\t@" not in line],
        )
        path.touch()
        self.sessions.append(session)
        takes_s = self.arming_s.get(host, self._arming_s)
        self._at(time.time() + takes_s, lambda: self._arm(session))

    def _recorded(self, host: str, probe: str) -> list[str]:
        return self.of_host.get((host, probe)) or self.recordings[probe]

    def _arm(self, session: Session) -> None:
        host = session.path.relative_to(self._folder / "hosts").parts[0]
        now = time.time() - self.stepped_back_s.get(host, 0.0)
        if not session.unit.exists():
            return  # ended, perhaps cleared away, before it was armed
        with contextlib.suppress(FileNotFoundError), session.path.open("a") as out:
            out.write(session.line(1, "@armed", f"{now * 1000:.0f}", 0))
        session.module.mkdir(exist_ok=True)
        self._wait(session)

    def _wait(self, session: Session) -> None:
        """Open its window; until then it can be told another one, and the last one counts."""
        with contextlib.suppress(OSError, ValueError):
            told = (session.module / "window").read_text().split()
            session.start, session.end = (int(word) / 1000 for word in told)
        now = time.time()
        if 0 < session.start <= now:
            self._open(session)
        elif session.unit.exists():
            self._at(min(session.start or now + LOOKS_S, now + LOOKS_S), lambda: self._wait(session))

    def _open(self, session: Session) -> None:
        session.started_at = time.time()
        with session.path.open("a") as out:
            out.write(session.line(2, "@start", f"{session.started_at * 1000:.0f}", 0))
        self._at(session.end, lambda: self._close(session))

    def _close(self, session: Session) -> None:
        now = time.time()
        window_ms = round((session.end - session.start) * 1000)
        with session.path.open("a") as out:
            for sequence, line in enumerate(session.recording, 3):
                _, _, table, ms, rest = line.split("\t", 4)
                out.write(session.line(sequence, table, rest, min(int(ms), window_ms)))
            last = len(session.recording) + 3
            out.write(session.line(last, "@hits", "1000", window_ms))
            out.write(session.line(last + 1, "@end", f"{now * 1000:.0f}\twindow", window_ms))
        session.path.with_name("err").touch()
        session.path.with_name("result").write_text("success 0 1500\n")
        shutil.rmtree(session.module, ignore_errors=True)
        session.unit.unlink(missing_ok=True)  # systemd keeps no transient unit that ended well


class Fleet:
    """`hosts` inventory entries; use it as `with fleet(...)`."""

    def __init__(self, folder: Path, hosts: int, port: int) -> None:
        self.folder, self.port = folder, port
        self.names = [f"host{number:04d}" for number in range(1, hosts + 1)]
        self.inventory = folder / "inventory.yml"
        self.sessions: Sessions

    def address(self, number: int) -> str:
        return f"127.8.{number // 250}.{number % 250 + 1}"

    def environment(self) -> dict[str, str]:
        """For whatever runs Ansible on this fleet: its own state, caches and connections, those of this call alone."""
        paths = {f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("STATE", "CACHE", "CONFIG")}
        control = self.folder / "cp" / f"{time.monotonic_ns():x}"
        control.mkdir(parents=True)
        return {**os.environ, **paths, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control)}

    def commands(self, number: int) -> list[str]:
        """What came to a host over ssh, in order, since it was last forgotten with `forget_commands`."""
        path = self.folder / "commands" / self.address(number)
        return path.read_text().splitlines() if path.exists() else []

    def forget_commands(self) -> None:
        for path in (self.folder / "commands").iterdir():
            path.unlink()

    def slow_down(self, number: int, seconds: float) -> None:
        """Every command to this host takes so much longer; 0 ends that."""
        (self.folder / "slow" / self.address(number)).write_text(f"{seconds}\n")

    def answer_by(self, number: int, script: str) -> None:
        """Let this shell script answer for a host; an empty one lets the host answer again.

        It has what came over ssh as $command, and `real` does what an honest host would do.
        """
        path = self.folder / "answers" / self.address(number)
        path.unlink(missing_ok=True)
        if script:
            path.write_text(f'command=$1\nreal() {{ /bin/sh -c "$command"; }}\n{script}\n')

    def cut_short(self, number: int, times: int) -> None:
        """The next outputs of this host do not arrive whole."""
        (self.folder / "hosts" / self.names[number - 1] / "run" / "cut").write_text(f"{times}\n")

    def boot(self, number: int, kernel: str = "") -> str:
        """As if the host had been booted again, into another kernel if one is named; its boot id."""
        other = self.folder / "hosts" / self.names[number - 1] / "run" / "kernel"
        if kernel:
            other.write_text(f"{kernel}\n")
        else:
            other.unlink(missing_ok=True)
        boot_id = str(uuid.uuid4())
        (self.folder / "hosts" / self.names[number - 1] / "boot_id").write_text(f"{boot_id}\n")
        return boot_id

    def forget(self, number: int) -> None:
        """As if the controller had never swept this host."""
        (self.folder / "state" / "fleetdiag" / "hosts" / f"{self.names[number - 1]}.json").unlink(
            missing_ok=True
        )

    def clear(self) -> None:
        """Remove what sweeps have left on the hosts, so that they are free for the next one."""
        for number, name in enumerate(self.names, 1):
            self.answer_by(number, "")
            self.slow_down(number, 0)
            self.cut_short(number, 0)
            own = self.folder / "hosts" / name
            for left in ("run/kernel", "run/refuses", "run/fleetdiag.lock"):
                (own / left).unlink(missing_ok=True)
            for unit in (own / "run" / "units").iterdir():
                unit.unlink(missing_ok=True)
            for left_of_sweep in (*own.glob("lib/sweeps/*"), *own.glob("systemtap/*")):
                shutil.rmtree(left_of_sweep)
        self.sessions.stepped_back_s.clear()
        self.sessions.arming_s.clear()
        self.sessions.of_host.clear()

    def remove_modules(self) -> None:
        """As if no host had ever run these probes."""
        for path in self.folder.glob("hosts/*/lib/modules/*"):
            path.unlink()

    def build(self, probes: list[str]) -> None:
        """Put modules into the controller's store, as a builder of this fleet's SystemTap would have."""
        shipped = [catalog.shipped()]
        found = catalog.find(probes, shipped)
        defaults = {p.name: {name: one.default for name, one in p.parameters.items()} for p in found}
        sweep = SweepRecord(
            probes=tuple(
                ProbeRecord(
                    p.name,
                    dict(p.manifest),
                    defaults[p.name],
                    script=p.script.read_text() if p.unmodified and p.script else None,
                )
                for p in found
            )
        )
        facts = self._facts()
        store = ModuleStore(self.folder / "cache" / "fleetdiag")
        for source in sources.sources(
            sweep, stap=STAP, kernel=facts["kernel"], build_id=facts["kernel_build_id"]
        ):
            name = f"fd_00000000_000000_0000_{source.name}".encode()
            data = name + b"nonce=nonce_of_session" + os.urandom(MODULE_BYTES // 2) + bytes(MODULE_BYTES // 2)
            store.put(source.key, data, {"probe": source.name, "kernel": facts["kernel"]})

    def _facts(self) -> dict[str, str]:
        """What guard.sh says of a host of this fleet."""
        guard = self.folder / "guard.sh"  # it puts its rules beside itself
        guard.write_bytes(host_program.text())
        command = ["nsenter", f"--mount={self.folder}/ns/{self.address(1)}", "sh", guard, "preflight"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def free_port() -> int:
    """Return a port of TCP that nobody listens on."""
    with socket.create_server(("", 0)) as free:
        return int(free.getsockname()[1])


def lacking() -> list[str]:
    """What this machine has not that a fleet needs."""
    path = f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
    return [
        *(["root"] if os.geteuid() else []),
        *(name for name in PROGRAMS if not shutil.which(name, path=path)),
    ]


@contextlib.contextmanager
def fleet(folder: Path, hosts: int, *, arming_s: float = 0.3) -> Iterator[Fleet]:
    """Build the hosts, start sshd; everything is ended and unmounted in the end."""
    lacking = [
        name for name in PROGRAMS if shutil.which(name, path=f"/usr/sbin:/sbin:{os.environ['PATH']}") is None
    ]
    if lacking or os.geteuid():
        raise SystemExit(f"the loopback fleet needs root and {', '.join(lacking) or 'nothing else'}")
    made = Fleet(folder, hosts, free_port())
    for name in ("ns", "bin", "state", "cache", "config", "commands", "slow", "answers"):
        (folder / name).mkdir(parents=True)
    for name, text in (
        ("staprun", STAPRUN),
        ("stap", STAPRUN.replace("module loader/runner", "translator/driver")),
        ("systemd-run", SYSTEMD_RUN),
        ("systemctl", SYSTEMCTL),
        ("systemd-detect-virt", VIRT),
        ("base64", BASE64),
        ("uname", UNAME),
    ):
        _program(folder / "bin" / name, text)
    _program(folder / "enter", ENTER.format(folder=folder))
    (folder / "comm").write_text("systemd\n")
    for key in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "sshd_config").write_text(SSHD.format(port=made.port, folder=folder))
    made.sessions = Sessions(folder, arming_s=arming_s)
    ns = folder / "ns"
    subprocess.run(["mount", "--bind", str(ns), str(ns)], check=True)
    subprocess.run(["mount", "--make-private", str(ns)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = None
    try:
        for number, name in enumerate(made.names, 1):
            _make_host(folder, made.address(number), name)
        _write_inventory(made)
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")])
        made.sessions.start()
        yield made
    finally:
        made.sessions.ended.set()
        if sshd is not None:
            sshd.terminate()
            sshd.wait()
        for path in ns.iterdir():
            subprocess.run(["umount", str(path)], check=False, capture_output=True)
        subprocess.run(["umount", str(ns)], check=False, capture_output=True)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _make_host(folder: Path, address: str, name: str) -> None:
    own = folder / "hosts" / name
    for part in ("lib", "run/units", "run/systemd/system", "systemtap", "proc"):
        (own / part).mkdir(parents=True)
    (own / "run" / "host").write_text(f"{name}\n")
    (own / "run" / "sessions").touch()
    (own / "run" / "cut").write_text("0\n")
    (own / "boot_id").write_text(f"{uuid.uuid4()}\n")
    target = folder / "ns" / address
    target.touch()
    mounts = [
        "mount --make-rprivate /",
        f"mkdir -p /var/lib/fleetdiag && mount --bind {own}/lib /var/lib/fleetdiag",
        f"mount --bind {folder}/sessions {own}/run/sessions",
        f"mount --rbind {own}/run /run",
        f"mount -t overlay overlay -o lowerdir={folder}/bin:/usr/sbin /usr/sbin",
        # what the kernel has in /proc, and systemtap beside it
        f"mount -t proc proc {own}/proc",
        f"mount --bind {folder}/comm {own}/proc/1/comm",
        f"mount --bind {own}/boot_id {own}/proc/sys/kernel/random/boot_id",
        "mount -t tmpfs tmpfs /proc",
        f"for name in 1 self {own}/proc/[!0-9]*; do ln -sfn {own}/proc/${{name##*/}} /proc/${{name##*/}}; done",
        f"ln -s {own}/systemtap /proc/systemtap",
        f"mount --bind {own}/systemtap /sys/module",
    ]
    subprocess.run(["unshare", f"--mount={target}", "sh", "-ec", "\n".join(mounts)], check=True)


def _write_inventory(made: Fleet) -> None:
    shared = (
        f"ansible_port: {made.port}, ansible_user: root, ansible_become: false,"
        f" ansible_ssh_private_key_file: {made.folder}/key, ansible_python_interpreter: /usr/bin/python3,"
        " ansible_ssh_common_args: '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'"
    )
    hosts = "".join(
        f"        {name}: {{ansible_host: {made.address(number)}}}\n"
        for number, name in enumerate(made.names, 1)
    )
    made.inventory.write_text(f"all:\n  vars: {{{shared}}}\n  children:\n    web:\n      hosts:\n{hosts}")
