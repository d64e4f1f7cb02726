# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that does a known number of things, and scripts that count and add up what it does."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

from fleetdiag.lab.model import Lab

NAME = "fdknown"
PLACE = "/root/fdknown"
# The name is taken when all is loaded and made ready: what perl does for itself is not counted.
WORKLOAD = r"""
use strict; use Socket; use Fcntl qw(:DEFAULT :seek); use POSIX ();
my $place = "PLACE"; mkdir $place; chdir $place or die;
sysopen my $in, "in", O_RDWR | O_CREAT or die; syswrite $in, "x" x 700; sysseek $in, 0, SEEK_SET;
sysopen my $out, "out", O_WRONLY | O_CREAT or die;
socket my $to, PF_INET, SOCK_DGRAM, 0 or die; my $there = sockaddr_in(9, INADDR_LOOPBACK);
socketpair my $left, my $right, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die;
socket my $server, PF_INET, SOCK_STREAM, 0 or die;
bind $server, sockaddr_in(0, INADDR_LOOPBACK) or die; listen $server, 1;
socket my $client, PF_INET, SOCK_STREAM, 0 or die;
connect $client, getsockname $server or die; accept my $peer, $server or die;
open my $made, ">", "file$_" or die for 1 .. 6;
$SIG{USR1} = sub {};
my $data;
$0 = "NAME";
sysread $in, $data, 100 for 1 .. 7;
syswrite $out, "y" x 50 for 1 .. 9;
truncate $out, 100 * $_ for 1 .. 4;
mkdir "dir$_", 0750 for 1 .. 5;
link "file$_", "link$_" for 1 .. 3;
rename "file$_", "renamed$_" for 1 .. 2;
unlink "file$_" for 3 .. 6;
POSIX::mkfifo("fifo$_", 0600) for 1 .. 2;
chmod 0640, "renamed1" for 1 .. 3;
chown 7, 9, "renamed2" for 1 .. 2;
utime 1, 2, "renamed1" for 1 .. 4;
send $to, "z" x 64, 0, $there for 1 .. 5;
send $left, "u" x 30, 0 for 1 .. 6;
send $client, "t" x 1000, 0 for 1 .. 4;
kill USR1 => $$ for 1 .. 4;
setpriority 0, 0, $_ for 5 .. 7;
for (1 .. 3) { my $child = fork // die; POSIX::_exit(5) unless $child; waitpid $child, 0 }
$0 = "done";
"""
#: {script: (probe point, what is added up, how often, what that makes)}
KNOWN = {
    "read_asked": ('kernel.function("vfs_read")', "$count", 7, 700),
    "read_got": ('kernel.function("vfs_read").return', "$return", 7, 700),
    "written": ('kernel.function("vfs_write")', "$count", 9, 450),
    "write_position": ('kernel.function("vfs_write")', "$file->f_pos", 9, 50 * sum(range(9))),
    "truncate": ('kernel.function("do_truncate")', "$length", 4, 1000),
    "mkdir": ('kernel.function("vfs_mkdir")', "$mode & 0777", 5, 5 * 0o750),
    "link": ('kernel.function("vfs_link")', "$new_dentry->d_name->len", 3, 3 * len("link1")),
    "rename": ('kernel.function("vfs_rename")', "$rd->old_dentry->d_name->len", 2, 2 * len("file1")),
    "unlink": ('kernel.function("vfs_unlink")', "$dentry->d_name->len", 4, 4 * len("file1")),
    "mknod": ('kernel.function("vfs_mknod")', "$mode & 0777", 2, 2 * 0o600),
    "chmod": ('kernel.function("chmod_common")', "$mode", 3, 3 * 0o640),
    "chown": ('kernel.function("chown_common")', "10 * $user + $group", 2, 2 * 79),
    "utime": ('kernel.function("vfs_utimes")', "$times[0]->tv_sec + $times[1]->tv_sec", 4, 12),
    "udp": ('kernel.function("udp_sendmsg")', "$len", 5, 320),
    "unix": ('kernel.function("unix_stream_sendmsg")', "$len", 6, 180),
    "tcp": ('kernel.function("tcp_sendmsg")', "$size", 4, 4000),
    "signal": ('kernel.function("do_send_sig_info")', "$sig", 4, 40),
    "nice": ('kernel.function("set_user_nice")', "$nice", 3, 18),
    "fork": ('kernel.function("kernel_clone")', "$args->exit_signal", 3, 3 * 17),
    "exit": ('kernel.function("do_exit")', "$code >> 8", 3, 15),
}
SCRIPT = """\
global calls, sum
probe {point} {{ if (execname() == "{name}") {{ calls++; sum += {added} }} }}
probe end {{ printf("known %d %d\\n", calls, sum) }}
"""


def write_scripts(folder: Path, names: Iterable[str]) -> list[str]:
    """Write these scripts of KNOWN; return the words of a sweep that ask for them."""
    asked = []
    for name in names:
        point, added, _, _ = KNOWN[name]
        path = folder / f"{name}.stp"
        path.write_text(SCRIPT.format(point=point, added=added, name=NAME))
        asked += ["--probe", str(path)]
    return asked


def bring(lab: Lab, host: str) -> None:
    """Put the program on a host."""
    program = WORKLOAD.replace("PLACE", PLACE).replace("NAME", NAME)
    written = lab.ssh(host, f"cat >{PLACE}.pl <<'END'\n{program}\nEND\nperl -c {PLACE}.pl")
    assert written.returncode == 0, written.stderr


def run_once(lab: Lab, host: str) -> None:
    """Have the process do what is known."""
    done = lab.ssh(host, f"perl {PLACE}.pl")
    assert done.returncode == 0, done.stderr


def remove(lab: Lab, host: str) -> None:
    """Take away from a host what the program is and made."""
    lab.ssh(host, f"rm -rf {PLACE} {PLACE}.pl")


def wrong(run: Path, hosts: Iterable[str], names: Iterable[str]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return {(host, script): what it printed} of those that printed anything but what is known."""
    return {
        (host, name): told
        for host in hosts
        for name in names
        if (told := output(run, host, f"stp_{name}")) != KNOWN[name][2:]
    }


def output(run: Path, host: str, probe: str) -> tuple[int, ...]:
    """Return the calls and the sum that a script has printed; empty if it has printed none."""
    text = gzip.decompress((run / "hosts" / host / f"{probe}.out.gz").read_bytes()).decode()
    found = re.search(r"known (\d+) (-?\d+)", text)
    return tuple(map(int, found.groups())) if found else ()
