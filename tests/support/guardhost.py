# SPDX-License-Identifier: GPL-3.0-or-later
"""A probed host without a machine: guard.sh as root in a mount namespace of its own.

Real are the shell (dash or busybox), the file systems (tmpfs, ext4 from a file), files, locks and signatures. Stand-ins
are what one machine has only once: staprun and the list of modules, systemd, dmesg. A module is a directory of
/run/sys/module, a unit is a directory of /run/units whose session is a process that prints what the test says. What
systemd was given is in /run/systemd-run: its command lines, and the files of units that it was to start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import signing
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import hostctl
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import (
    ArmReply,
    Collected,
)

HOME = "/var/lib/fleetdiag"
PROGRAMS = ("unshare", "nsenter", "mount", "mkfs.ext4", "dash", "busybox")
SYSCTLS = {"debug/kprobes-optimization": ("1", "0"), "kernel/kptr_restrict": ("0", "1")}
"""Of each: its value before a module is loaded, and the one that staprun sets."""
NONCE = "00ff00ff00ff00ff"

STAPRUN = """#!/bin/bash
name_of() { for word; do case $word in *.ko) word=${word##*/}; echo "${word%.ko}" ;; esac; done; }
case $1 in
-V) echo 'Systemtap module loader/runner (version 5.1/0.192)'; exit ;;
-d) [ ! -e /run/stuck ] || exit 1
    rm -rf "/run/proc/systemtap/$2" "/run/sys/module/$2"; exit ;;
esac
echo "$*" >>/run/staprun
name=$(name_of "$@")
for word; do case $word in *.ko) nonce=$(grep -aoE 'nonce=[0-9a-z_]{16}' "$word") nonce=${nonce#*=} ;; esac; done
env >/run/environment.${name##*_}
mkdir -p "/run/sys/module/$name"
echo 0 >/run/proc/sys/debug/kprobes-optimization
echo 1 >/run/proc/sys/kernel/kptr_restrict
case $name in
*_smoke) echo fleetdiag-smoke-ok; exec staprun -d "$name" ;;
esac
if [ -e /run/fails ]; then cat /run/fails >&2; staprun -d "$name"; exit 1; fi
mkdir "/run/proc/systemtap/$name"
if [ "$nonce" = nonce_of_session ]; then
    mkfifo "/run/proc/systemtap/$name/nonce"
    read -r nonce <"/run/proc/systemtap/$name/nonce"
fi
printf '%s\\t1\\t@armed\\t0\\t1\\n' "$nonce"
[ ! -e /run/prints ] || cat /run/prints
exec sleep 1000
"""
SYSTEMD_RUN = """#!/bin/bash
echo "$*" >>/run/systemd-run
[ ! -e /run/refuses ] || { cat /run/refuses >&2; exit 1; }
stop=true command=()
while [ $# -gt 0 ]; do
    case $1 in
    --unit=*) unit=${1#--unit=} ;;
    --on-active=*) unit=$unit.timer ;;
    -p) shift ;;
    -*) ;;
    *) command=("$@"); break ;;
    esac
    shift
done
mkdir -p "/run/units/$unit"
case $unit in
*.timer | *-json) exit ;;
esac
. /usr/sbin/run-unit "$unit" "${command[*]}" /dev/null /dev/null true
"""
RUN_UNIT = """
unit=$1 command=$2 out=$3 err=$4 stop=$5
mkdir -p "/run/units/$unit"
echo "$stop" >"/run/units/$unit/stop"
cat >"/run/units/$unit/run" <<RUN
$command >$out 2>$err
code=\\$?
rm -r /run/units/$unit
SERVICE_RESULT=exit-code EXIT_STATUS=\\$code $stop
RUN
env -i PATH="$PATH" setsid bash "/run/units/$unit/run" </dev/null >/dev/null 2>&1 &
echo $! >"/run/units/$unit/pid"
"""
SYSTEMCTL = """#!/bin/bash
case $* in
*is-active*) for unit; do :; done; [ -d "/run/units/$unit" ] ;;
*' start '*)
    [ ! -e /run/refuses ] || { cat /run/refuses >&2; exit 1; }
    code=0
    for unit; do
        file=/run/systemd/system/$unit
        if [ -e "$file" ] && [ -e "/run/refuses.$unit" ]; then cat "/run/refuses.$unit" >&2; code=1; continue; fi
        [ -e "$file" ] && [ ! -d "/run/units/${unit%.service}" ] || continue
        cat "$file" >>/run/systemd-run
        of() { /usr/bin/sed -n "s/^$1=\\(file:\\)*//p" "$file"; }
        start=$(of ExecStart)
        . /usr/sbin/run-unit "${unit%.service}" "${start//\\$\\$/\\$}" "$(of StandardOutput)" "$(of StandardError)" \\
            "$(of ExecStopPost)"
    done
    exit $code ;;
*stop*)
    for unit; do
        unit=/run/units/${unit%.service}
        [ -d "$unit" ] || continue
        if [ -e "$unit/pid" ]; then
            read -r pid <"$unit/pid"; read -r stop <"$unit/stop"
            kill -KILL -- "-$pid" 2>/dev/null
            SERVICE_RESULT=success EXIT_STATUS=0 $stop
        fi
        rm -r "$unit"
    done ;;
--version) echo 'systemd 257 (257)' ;;
esac
"""
COUNTED = """#!/bin/bash
printf '%s\\n' "${0##*/}" >>/run/execs
PATH=${PATH#/run/counted:}
exec "${0##*/}" "$@"
"""
"""Notes that guard.sh started a program; what that starts itself is not counted."""
STAND_INS = {
    "staprun": STAPRUN,
    "systemd-run": SYSTEMD_RUN,
    "systemctl": SYSTEMCTL,
    "run-unit": RUN_UNIT,
    "systemd-detect-virt": "#!/bin/bash\necho none\n",
    "dmesg": "#!/bin/bash\n[ ! -e /run/dmesg ] || cat /run/dmesg\n",
    "rmmod": "#!/bin/bash\nexit 1\n",
    "sed": '#!/bin/bash\nprintf \'%s\\n\' "$*" >>/run/sed\nexec /usr/bin/sed "$@"\n',
}


def lacking() -> list[str]:
    """Return what this machine lacks for such a host; a namespace that cannot be made counts."""
    missing = [] if os.geteuid() == 0 else ["root"]
    missing += [
        name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    ]
    if not missing and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        missing.append("unshare -m")
    return missing


def module(probe: str, text: bytes = b"", kernel: str = "") -> bytes:
    """Return what passes for a compiled module; kernel: the one it says it was compiled for."""
    named = f"\x7fELF fd_00000000_000000_0000_{probe} \0nonce=nonce_of_session\0".encode()
    return named + (f"vermagic={kernel or os.uname().release} SMP mod_unload \0".encode()) + text


class GuardHost:
    """One host. run: its /run, as seen from outside; shell: what is /bin/sh there."""

    def __init__(self, folder: Path, shell: str, place: str) -> None:
        self.folder, self.run = folder, folder / "run"
        self._environment = {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"}
        (folder / "bin").mkdir(parents=True)
        for name, text in STAND_INS.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        for part in (
            "units",
            "systemd/system",
            "sys/module",
            "proc/systemtap",
            "proc/sys/kernel/random",
            "proc/sys/debug",
        ):
            (self.run / part).mkdir(parents=True)
        for path in ("sys/kernel/tainted", "sys/kernel/osrelease", "sys/kernel/random/boot_id"):
            (self.run / "proc" / path).write_text(Path("/proc", path).read_text())
        for name, (value, _) in SYSCTLS.items():
            (self.run / "proc" / "sys" / name).write_text(f"{value}\n")
        mounts = [
            "mount --make-rprivate /",
            "mount -t tmpfs -o mode=755 tmpfs /var/lib",
            f"mkdir -m 700 {HOME}",
            f"mount -t overlay -o lowerdir={folder}/bin:/usr/sbin overlay /usr/sbin",
            *([f"mount --bind $(command -v {shell}) $(readlink -f /bin/sh)"] if shell != "dash" else []),
            *([place, f"chmod 700 {HOME}"] if place else []),
            f"mount --bind {self.run} /run",
            "echo ready; exec cat",
        ]
        self._holder = subprocess.Popen(
            ["unshare", "-m", "bash", "-ec", "\n".join(mounts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        program = hostctl._program(signing.own())
        for real in ("/sys/module/", "/proc/systemtap", "/proc/sys/"):
            program = program.replace(real.encode(), f"/run{real}".encode())
        program = program.replace(b" PATH=/usr/sbin:", b" PATH=/run/counted:/usr/sbin:", 1)
        self.program = program
        self.guard = hostctl.Guard(self.call, script=program)

    def call(self, command: str, data: bytes | None = None) -> tuple[int, str, str]:
        """Run a command on the host, as ssh would."""
        done = subprocess.run(
            ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "/bin/sh", "-c", command],
            input=data or b"",
            capture_output=True,
            check=False,
            env=self._environment,
        )
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode()

    def sh(self, command: str) -> str:
        """Return what a command of the test itself prints on the host; it must succeed."""
        code, out, err = self.call(command)
        assert code == 0, err
        return out.strip()

    def count_programs(self) -> None:
        """Let `started` say from now on what guard.sh starts."""
        (self.run / "counted").mkdir()
        (self.folder / "counted").write_text(COUNTED)
        (self.folder / "counted").chmod(0o755)
        for name in {program for place in ("/usr/sbin", "/usr/bin") for program in os.listdir(place)} | {
            *STAND_INS
        }:
            (self.run / "counted" / name).symlink_to(self.folder / "counted")

    def started(self) -> list[str]:
        """Return the programs that guard.sh has started since this was asked last."""
        told = self.run / "execs"
        names = told.read_text().split() if told.exists() else []
        told.unlink(missing_ok=True)
        return names

    def path(self, below: str) -> Path:
        """Return the path of a file of the host, as this process can open it."""
        return Path(f"/proc/{self._holder.pid}/root{below}")

    def set_environment(self, **more: str) -> None:
        self._environment.update(more)

    def loaded(self) -> list[str]:
        return sorted(path.name for path in (self.run / "sys/module").iterdir())

    def units(self) -> list[str]:
        return sorted(path.name for path in (self.run / "units").iterdir())

    def sysctls(self) -> dict[str, str]:
        return {name: (self.run / "proc" / "sys" / name).read_text().strip() for name in SYSCTLS}

    def arm(
        self,
        sweep: str,
        *probes: str,
        modules: dict[str, bytes] | None = None,
        smoke: bool = False,
        send: bool = True,
    ) -> ArmReply:
        """Arm sessions of some probes, with modules of their own where the test has some.

        send: False where the host holds the modules from before.
        """
        sent = {probe: (modules or {}).get(probe, module(probe)) for probe in (*probes, *(["smoke"] * smoke))}
        sums = {probe: hashlib.sha256(data).hexdigest() for probe, data in sent.items()}
        plans = [hostctl.SessionPlan(probe, sums[probe], 1, [("fd_nonce", NONCE)]) for probe in probes]
        return self.guard.arm(
            sweep,
            ttl_s=600,
            timeout_s=30,
            smoke=sums.get("smoke", ""),
            plans=plans,
            modules={sums[probe]: data for probe, data in sent.items() if send},
        )

    def collect(self, sweep: str, *probes: str) -> Collected:
        return self.guard.collect(sweep, dict.fromkeys(probes, 1 << 22))

    def end_session(self, sweep: str, probe: str) -> None:
        """Let a session end before its time; return when its unit is gone."""
        unit = self.run / "units" / f"fd-{sweep}-{probe}"
        ended = f"[ ! -e /run/units/{unit.name} ] && [ -e {HOME}/sweeps/{sweep}/{probe}/result ]"
        self.sh(f"pkill -TERM -g {(unit / 'pid').read_text().strip()} -x sleep")
        self.sh(f"timeout 60 bash -c 'until {ended}; do sleep 0.1; done'")

    def close(self) -> None:
        """End its sessions and what is mounted in it."""
        for unit in (self.run / "units").glob("*/pid"):
            with contextlib.suppress(OSError, ValueError):
                os.killpg(int(unit.read_text()), 9)
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait()


@contextlib.contextmanager
def guardhost(folder: Path, *, shell: str = "dash", place: str = "") -> Iterator[GuardHost]:
    """Make a host; place: the command that mounts a file system of its own at HOME."""
    made = GuardHost(folder, shell, place)
    try:
        yield made
    finally:
        made.close()


def small_tmpfs(kib: int) -> str:
    return f"mount -t tmpfs -o size={kib}k tmpfs {HOME}"


def ext4(image: Path) -> str:
    """Return the command that mounts a new ext4 of a file, which goes when the host goes."""
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as stream:
        stream.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    return f"mount -o loop,errors=remount-ro {image} {HOME}"
