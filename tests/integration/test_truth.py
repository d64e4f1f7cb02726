# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of what a kernel tells of itself, against the distribution's debuginfo: for both kernels of the lab.

Two downloads of a gigabyte, of which the kernel's own file (0.4 GB) is unpacked: only `make test-debuginfo` does that.
FLEETDIAG_WRITE_INLINED=1 writes the lists of functions with inline copies (report/inlined) instead of comparing them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from sweeps import newest, sweep

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernelinfo
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import kernel_types
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read
from fleetdiag.lab.model import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        "FLEETDIAG_TEST_DEBUGINFO" not in os.environ,
        reason="2 GB to download: run it with `make test-debuginfo`",
    ),
]
TRUTH = Path(__file__).parent / "truth"
THERE = "/root/truth"
PACKAGE = "ansible_collections/fleetdiag/systemtap/plugins/module_utils/_stap"
SCRIPT = 'global n\nprobe kernel.function("vfs_read") { n += $count }\nprobe end { println(n) }\n'
PREPARE = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >{THERE}/apt.log 2>&1
apt-get -q -y install python3-drgn libdw-dev binutils >>{THERE}/apt.log 2>&1
gcc -O2 -Wall -Werror -o {THERE}/inlined {THERE}/inlined.c -ldw -lelf
"""
UNPACK = """
set -e
cd {there}
[ -f usr/lib/debug/boot/vmlinux-{kernel} ] || {{
    apt-get -q -o APT::Sandbox::User=root download linux-image-{kernel}-dbg >>apt.log 2>&1
    dpkg-deb --fsys-tarfile linux-image-{kernel}-dbg_*.deb | tar -x --wildcards './usr/lib/debug/boot/*'
    rm -f linux-image-{kernel}-dbg_*.deb
}}
"""
COMPARE = """
set -e
cd {there}
made=$(ls -t /var/cache/fleetdiag/*/kernelinfo/*/boot/vmlinux-{kernel} | head -n 1)
PYTHONPATH={there} python3 compare.py "$made" usr/lib/debug/boot/vmlinux-{kernel} /lib/modules/{kernel}/build/vmlinux
"""
INLINED = """
set -e
cd {there}
real=usr/lib/debug/boot/vmlinux-{kernel}
nm "$real" | sed -n 's/^[0-9a-f]* [tTwW] //p' | sed 's/\\.\\(isra\\|constprop\\).*//' | LC_ALL=C sort -u >outside
./inlined "$real" | LC_ALL=C sort -u | LC_ALL=C comm -12 - outside
"""


def ask(lab: Lab, script: str) -> str:
    done = lab.ssh("builder", script)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def kernels(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the kernels of which the builder has made a file, and unpacked the distribution's."""
    folder = tmp_path_factory.mktemp("truth")
    (folder / "reads.stp").write_text(SCRIPT)
    done = sweep(
        lab, folder / "runs", "-l", "web1,web3", "--window", "5s", "--probe", str(folder / "reads.stp")
    )
    builds = read.open_run(newest(folder / "runs")).builds()
    assert all(build.probes["stp_reads"].types == "btf" for build in builds.values()), done.stdout
    here = Path(kernelinfo.__file__ or "").parent
    tree = folder / "there"
    (tree / PACKAGE).mkdir(parents=True)
    (tree / PACKAGE / "kernelinfo").symlink_to(here)
    for name in ("compare.py", "inlined.c"):
        (tree / name).symlink_to(TRUTH / name)
    packed = subprocess.run(["tar", "-C", str(tree), "-ch", "."], capture_output=True, check=True).stdout
    command = lab.ssh_command("builder", ["sh", "-c", f"'mkdir -p {THERE} && tar -x -C {THERE}'"])
    subprocess.run(command, input=packed, check=True)
    ask(lab, PREPARE)
    for kernel in builds:
        ask(lab, UNPACK.format(there=THERE, kernel=kernel))
    return sorted(builds)


def test_all_that_was_made_is_what_the_distribution_says(lab: Lab, kernels: list[str]) -> None:
    """Sizes and members of structures, addresses and prototypes of functions: no difference but for known reasons."""
    assert len(kernels) == 2
    for kernel in kernels:
        told = json.loads(ask(lab, COMPARE.format(there=THERE, kernel=kernel)))
        print(kernel, json.dumps(told["counts"], indent=1))
        assert told["differences"] == []
        assert told["counts"]["structures"] > 8000
        assert told["counts"]["functions"] > 40_000


def test_the_lists_of_functions_with_inline_copies_are_those_of_the_distribution(
    lab: Lab, kernels: list[str]
) -> None:
    for kernel in kernels:
        found = ask(lab, INLINED.format(there=THERE, kernel=kernel)).split()
        series = kernel_types.SERIES.fullmatch(kernel)
        assert series, f"{kernel} is of no series that is measured"
        path = kernel_types.FOLDER / f"{'-'.join(series.groups())}.txt"
        if "FLEETDIAG_WRITE_INLINED" in os.environ:
            head = f"# Functions of which the compiler put copies inline into others: {kernel}, by make test-debuginfo."
            # REUSE-IgnoreStart
            path.write_text("\n".join(["# SPDX-License-Identifier: GPL-3.0-or-later", head, *found, ""]))
            # REUSE-IgnoreEnd
        kernel_types.measured.cache_clear()
        assert kernel_types.measured(kernel) == set(found)
