# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that read parameters, members and return values by what the kernels tell of themselves (BTF).

What each has to count and to add up is known, because one process does just so much of it, on both kernels.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweeps import ENVIRONMENT, ROOT, SWEPT, await_window, coverage, newest, report_of

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("twenty scripts for two kernels, a quarter of an hour")]

HOSTS = ("web1", "web3")  # 6.12 and 7.x
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


@pytest.fixture
def _at_rest(lab: Lab) -> Iterator[None]:
    yield
    for host in HOSTS:
        lab.ssh(host, f"rm -rf {PLACE} {PLACE}.pl")


@pytest.mark.usefixtures("_at_rest")
def test_each_script_counts_what_was_done(lab: Lab, tmp_path: Path) -> None:
    asked = []
    for name, (point, added, _, _) in KNOWN.items():
        path = tmp_path / f"{name}.stp"
        path.write_text(SCRIPT.format(point=point, added=added, name=NAME))
        asked += ["--probe", str(path)]
    program = WORKLOAD.replace("PLACE", PLACE).replace("NAME", NAME)
    for host in HOSTS:
        written = lab.ssh(host, f"cat >{PLACE}.pl <<'END'\n{program}\nEND\nperl -c {PLACE}.pl")
        assert written.returncode == 0, written.stderr
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "fleetdiag", "sweep", "-i", str(lab.inventory), "--runs-dir", str(runs)]
    command += ["-l", ",".join(HOSTS), "--window", "60s", *asked]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as sweeping:
        await_window(runs, *HOSTS)
        for host in HOSTS:
            done = lab.ssh(host, f"perl {PLACE}.pl")
            assert done.returncode == 0, done.stderr
        said, _ = sweeping.communicate()
    run = newest(runs)
    covered = coverage(report_of(run))
    assert {covered[host]["status"] for host in HOSTS} <= SWEPT, said
    builds = read.open_run(run).builds()
    assert len(builds) == len(HOSTS)
    for kernel, build in builds.items():
        failed = {name: module.error for name, module in build.probes.items() if module.failed}
        assert failed == {}, kernel
        assert {module.types for module in build.probes.values()} == {"btf"}, kernel
    wrong = {
        (host, name): told
        for host in HOSTS
        for name, (_, _, calls, added) in KNOWN.items()
        if (told := output(run, host, f"stp_{name}")) != (calls, added)
    }
    assert wrong == {}


def output(run: Path, host: str, probe: str) -> tuple[int, ...]:
    """Return the calls and the sum that a script has printed; empty if it has printed none."""
    text = gzip.decompress((run / "hosts" / host / f"{probe}.out.gz").read_bytes()).decode()
    found = re.search(r"known (\d+) (-?\d+)", text)
    return tuple(map(int, found.groups())) if found else ()
