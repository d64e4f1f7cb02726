# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does with what SystemTap does, from its cache to its messages."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from kernelinfo_maker import BUILD_ID, BtfMaker, kallsyms, notes
from program_maker import program

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import program_root
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.bundle import Bundle, pack
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.layout import STRUCTURES
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.probe_points import forbidden

# It answers -V, else it does what the test says; $name is the module that is wanted.
STAP = """#!/bin/sh
case $1 in -V) echo "Systemtap translator/driver (version 5.6)"; exit 0 ;; esac
while [ "$1" != -m ]; do shift; done
name=$2
mkdir -p "$TMPDIR/stapAbC"
{behaviour}
"""
LEAVES_C = 'echo "{text}" >"$TMPDIR/stapAbC/${{name}}_src.c"; echo module >"$name.ko"'


def run(folder: Path, behaviour: str, inside: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    """Return the result of one script, from the module as Ansible starts it, with a stap that behaves like this.

    inside: a command that runs the module's.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    stap = programs / "stap"
    stap.write_text(STAP.format(behaviour=behaviour))
    stap.chmod(0o755)
    source = {"name": "x", "file": "x.stp", "script": "probe begin {}"}
    source["key"] = hashlib.sha256(behaviour.encode()).hexdigest()
    wanted = {"kernel": "6.1.0-test", "tapset": {}, "sources": [source], "cache_dir": str(folder / "cache")}
    done = subprocess.run(
        [
            *inside,
            sys.executable,
            "-m",
            "ansible_collections.fleetdiag.systemtap.plugins.modules.stap_compile",
        ],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**wanted, "min_free_mb": 0, **options}}),
        env={**os.environ, "PYTHONPATH": ":".join(sys.path), "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(done.stdout)["modules"]
    assert isinstance(entry, dict)
    return entry


def test_a_module_is_built_from_c_that_may_run(tmp_path: Path) -> None:
    entry = run(tmp_path, LEAVES_C.format(text="int x;"))
    assert (entry["status"], entry["error"]) == ("built", "")
    assert Path(entry["path"]).read_text() == "module\n"


@pytest.mark.parametrize("text", ["_stp_ctl_send(STP_SYSTEM, a, b);", "panic(1);", "x = STP_SYSTEM;"])
def test_a_module_that_would_run_a_command_is_not_handed_out(tmp_path: Path, text: str) -> None:
    entry = run(tmp_path, LEAVES_C.format(text=text))
    assert entry["status"] == "failed"
    assert entry["error"].startswith("x.stp: its module would run a command on the probed host")
    assert not list(tmp_path.glob("cache/*/modules/*.ko"))


def test_a_module_without_its_c_is_not_handed_out(tmp_path: Path) -> None:
    assert forbidden(str(tmp_path), "fd_x", "x.stp").startswith("x.stp: SystemTap left no C source")
    entry = run(tmp_path, 'echo module >"$name.ko"')
    assert (entry["status"], entry["path"]) == ("failed", "")


def test_a_stap_that_does_not_end_is_killed(tmp_path: Path) -> None:
    entry = run(tmp_path, "trap '' INT TERM; while :; do sleep 1; done", timeout=1)
    assert (entry["status"], entry["error"]) == ("failed", "compiling took longer than 1 s")


def test_a_compiler_gets_no_more_memory_than_it_may(tmp_path: Path) -> None:
    behaviour = f"{sys.executable} -c 'bytearray(1 << 30)' || {{ echo cc1: out of memory >&2; exit 1; }}"
    entry = run(tmp_path, behaviour, memory_mb=600)
    assert entry["error"].startswith("compiling needs more than 600 MB of memory (memory_mb)")


def test_what_a_killed_compilation_left_is_removed_by_the_next(tmp_path: Path) -> None:
    work = tmp_path / "cache" / "6.1.0-test" / "work"
    (work / "y" / "tmp").mkdir(parents=True)
    run(tmp_path, LEAVES_C.format(text="int x;"))
    assert not work.exists()


def test_a_program_is_laid_out_for_one_compilation_alone(tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(program())
    found = 'while [ "$1" != --sysroot ]; do shift; done; root=$2; cp "$root/b" {0}/; '
    wanted = {"path": "/b", "real": "/usr/b", "file": str(tmp_path / "sent")}
    (tmp_path / "out").mkdir()
    behaviour = found.format(tmp_path / "out")
    source = {"name": "x", "file": "x.stp", "script": "probe begin {}", "programs": [wanted]}
    built = {**source, "key": "a" * 64}
    entry = run(tmp_path, behaviour + LEAVES_C.format(text="int x;"), sources=[built])
    assert (entry["status"], entry["error"]) == ("built", "")
    assert (tmp_path / "out" / "b").read_bytes() == program_root.without_loader(program())
    root = tmp_path / "cache" / "6.1.0-test" / "root"
    assert not root.exists()
    entry = run(
        tmp_path, behaviour + 'echo "no $root/usr/b" >&2; exit 1', sources=[{**source, "key": "b" * 64}]
    )
    assert entry["error"] == "no /usr/b"
    (tmp_path / "sent").write_bytes(b"#!/bin/sh\n")
    entry = run(tmp_path, behaviour, sources=[{**source, "key": "c" * 64}])
    assert entry["error"] == "this is no ELF file of 64 bits, little-endian"
    assert not root.exists()


def waited_for(inode: int) -> bool:
    """True while a process waits for the lock of this file."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(" -> FLOCK" in line and f":{inode} " in line for line in lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a process namespace")
def test_a_compilation_in_another_container_keeps_its_files(tmp_path: Path) -> None:
    """Two builders over one cache see no processes of each other."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "cache").symlink_to(tmp_path)
    # Its process has a number there that nobody has here.
    unused = next(pid for pid in range(30000, 1, -1) if not Path(f"/proc/{pid}").exists())
    numbered = f'echo {unused - 1} >/proc/sys/kernel/ns_last_pid; "$@"; exit'
    container = ("unshare", "--pid", "--fork", "sh", "-c", numbered, "sh")
    started, go_on = tmp_path / "started", tmp_path / "go_on"
    waits = f"touch {started}; until [ -e {go_on} ]; do sleep 0.1; done; "
    with ThreadPoolExecutor() as pool:
        one = pool.submit(run, first, waits + LEAVES_C.format(text="int x;"), inside=container)
        while not started.exists() and not one.done():
            time.sleep(0.05)
        two = pool.submit(run, second, LEAVES_C.format(text="int y;"))
        lock = (tmp_path / "6.1.0-test" / "stap.lock").stat().st_ino
        while not two.done() and not waited_for(lock):
            time.sleep(0.05)
        go_on.touch()
    assert (one.result()["status"], one.result()["error"]) == ("built", "")
    assert two.result()["status"] == "built"


def kernel_info(
    folder: Path, make: str = "", functions: Mapping[str, int] = MappingProxyType({"vfs_read": 0x100})
) -> dict[str, str]:
    """Return the options for a kernel that has told of itself."""
    types = BtfMaker()
    number = types.integer("int", 4)
    types.function("vfs_read", number, [("count", number)])
    for name in STRUCTURES:
        types.struct(name, 8, [("flags", number, 32)])
    told = Bundle(types.bytes(), kallsyms(dict(functions)), notes())
    (folder / "info").write_bytes(pack(told))
    program = folder / "programs" / "make"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n" + make)
    program.chmod(0o755)
    return {"kernel_info": str(folder / "info"), "build_id": BUILD_ID.hex()}


POINT = 'STAP_PROBE_INIT(0, \\&p, \\"kernel.function(\\\\\\"vfs_read@btf\\\\\\").return\\", \\"a\\", \\"x.stp:1:1\\")'
LOOKS = 'test -s "$SYSTEMTAP_DEBUGINFO_PATH/boot/vmlinux-6.1.0-test" || exit 7\n'


def test_a_script_is_compiled_with_what_the_kernel_tells_of_itself(tmp_path: Path) -> None:
    behaviour = LOOKS + LEAVES_C.format(text=POINT.replace("\\&", "&"))
    assert run(tmp_path, behaviour)["status"] == "failed"
    entry = run(tmp_path, behaviour, **kernel_info(tmp_path))
    assert (entry["status"], entry["types"], entry["functions"]) == ("built", "btf", ["vfs_read"])
    assert (entry["small"], entry["of_modules"]) == ([], [])
    again = run(tmp_path, behaviour)
    assert (again["status"], again["types"], again["functions"]) == ("cached", "btf", ["vfs_read"])


def test_functions_are_named_that_compilers_like_to_put_inline(tmp_path: Path) -> None:
    """Those that have few bytes, are not there under that name, or lie in a module, of which nothing was measured."""
    points = [
        POINT.replace("\\&", "&").replace("vfs_read", name)
        for name in ("vfs_read", "tiny", "gone", "vfs_read")
    ]
    points[3] = (
        points[3]
        .replace("kernel.function", 'module(\\\\\\"ext4\\\\\\").function')
        .replace("vfs_read", "ext4_x")
    )
    options = kernel_info(tmp_path, functions={"vfs_read": 0x100, "tiny": 0x1000, "end": 0x1010})
    entry = run(tmp_path, LOOKS + LEAVES_C.format(text="\\n".join(points)), **options)
    assert entry["functions"] == ["ext4_x", "gone", "tiny", "vfs_read"]
    assert entry["small"] == ["ext4_x", "gone", "tiny"]
    assert entry["of_modules"] == ["ext4_x"]


def test_a_module_of_an_older_maker_is_built_anew(tmp_path: Path) -> None:
    behaviour = LOOKS + LEAVES_C.format(text=POINT.replace("\\&", "&"))
    options = kernel_info(tmp_path)
    run(tmp_path, behaviour, **options)
    (note,) = tmp_path.glob("cache/*/modules/*.origin")
    note.write_text('{"types": "btf", "functions": ["vfs_read"], "maker": "1"}')
    assert run(tmp_path, behaviour, **options)["status"] == "built"


def test_debuginfo_is_made_once_and_made_anew_when_it_is_damaged(tmp_path: Path) -> None:
    run(tmp_path, LOOKS + LEAVES_C.format(text="one"), **kernel_info(tmp_path))
    (made,) = tmp_path.glob("cache/*/kernelinfo/*/boot/vmlinux-6.1.0-test")
    before = made.stat().st_ino
    run(tmp_path, LOOKS + LEAVES_C.format(text="two"), **kernel_info(tmp_path))
    assert made.stat().st_ino == before
    whole = made.read_bytes()
    made.write_bytes(whole[:-1])
    run(tmp_path, LOOKS + LEAVES_C.format(text="three"), **kernel_info(tmp_path))
    assert made.read_bytes() == whole


def test_made_debuginfo_is_removed_where_room_is_needed(tmp_path: Path) -> None:
    run(tmp_path, LOOKS + LEAVES_C.format(text="one"), **kernel_info(tmp_path))
    (made,) = tmp_path.glob("cache/*/kernelinfo/*/boot/vmlinux-6.1.0-test")
    os.utime(made, (0, 0))
    run(tmp_path, LEAVES_C.format(text="two"), max_mb=0)
    assert not made.exists()


COMPARES = """echo "$2 $4" >>MAKES
grep -q 'sizeof(struct task_struct) == 8' "${3#M=}/layout.c" || exit 1
grep -q 'offsetof(struct net_device, flags) == 4' "${3#M=}/layout.c" || exit 1
"""


def test_structures_are_compared_with_the_headers_once_for_each_file(tmp_path: Path) -> None:
    options = kernel_info(tmp_path, COMPARES.replace("MAKES", str(tmp_path / "makes")))
    for text in ("one", "two"):
        assert run(tmp_path, LOOKS + LEAVES_C.format(text=text), **options)["status"] == "built"
    assert (tmp_path / "makes").read_text() == "/lib/modules/6.1.0-test/build layout.o\n"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            "echo 'layout.c:9:1: error: static assertion failed: \"file.f_pos\"' >&2; exit 2",
            "file.f_pos differ",
        ),
        (
            "echo 'make: *** no build tree: error' >&2; exit 2",
            "could not be compared with its headers: make: ***",
        ),
    ],
)
def test_types_that_are_not_those_of_the_headers_are_refused(tmp_path: Path, make: str, said: str) -> None:
    entry = run(tmp_path, LOOKS + LEAVES_C.format(text="x"), **kernel_info(tmp_path, make))
    assert entry["status"] == "failed"
    assert said in entry["error"]
    assert not list(tmp_path.glob("cache/*/kernelinfo/*")) + list(tmp_path.glob("cache/*/layout-*"))


def test_a_builder_without_room_makes_nothing(tmp_path: Path) -> None:
    entry = run(tmp_path, LOOKS, **kernel_info(tmp_path), min_free_mb=1 << 40)
    assert f"MB are free under {tmp_path / 'cache'} on the builder, {1 << 40} are needed" in entry["error"]
    assert not list(tmp_path.glob("cache/*/kernelinfo/*"))


def test_symbols_of_another_kernel_are_refused(tmp_path: Path) -> None:
    entry = run(tmp_path, LOOKS, **{**kernel_info(tmp_path), "build_id": "ab" * 20})
    assert entry["error"].startswith("the host handed over symbols of another kernel: build id 000102")


def test_what_a_host_handed_over_damaged_is_refused_in_a_sentence(tmp_path: Path) -> None:
    options = kernel_info(tmp_path)
    (tmp_path / "info").write_bytes(b'{"form": 1, "btf": "", "kallsyms": 5}')
    entry = run(tmp_path, LOOKS, **options)
    assert entry["status"] == "failed"
    assert entry["error"].startswith("what the host handed over is ")


def test_functions_by_source_file_are_refused_and_not_matched_by_accident(tmp_path: Path) -> None:
    script = 'probe kernel.function("*@fs/*.c") {}'
    source = {"name": "x", "file": "x.stp", "script": script, "key": "0" * 64}
    leaves = LEAVES_C.format(text="x")
    entry = run(tmp_path, leaves, sources=[source], **kernel_info(tmp_path))
    assert entry["status"] == "failed"
    assert "*@fs/*.c asks for functions by source file" in entry["error"]
    assert run(tmp_path, leaves, sources=[source])["status"] == "built"  # with what is installed


def test_modules_that_only_the_tapset_names_are_tried_once_more(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    warns = "WARNING: cannot find module nfsd debuginfo: No DWARF information found"
    scope = "semantic error: debuginfo scope not found for module '\"'\"'sunrpc'\"'\"', cannot resolve"
    says = f"grep -q call {calls} && echo '{scope}' >&2; echo call >>{calls}; echo '{warns}' >&2; exit 1"
    run(tmp_path, says, **kernel_info(tmp_path))
    assert calls.read_text() == "call\n" * 3  # the second time sunrpc is lacking, too; the third is the last


@pytest.mark.parametrize(
    "wants",
    [
        "semantic error: while resolving probe point: identifier 'kprobe' at x.stp:1:7\\nsemantic error: no match",
        "semantic error: while processing probe tp_syscall.open.return from: nd_syscall.open.return",
    ],
    ids=["kprobe", "system call"],
)
def test_a_function_that_the_distributions_list_lacks_is_looked_for_in_the_kernels_own(
    tmp_path: Path, wants: str
) -> None:
    says = f"""case "$*" in *--sysroot*) ;; *) printf "{wants}\\n" >&2; exit 1 ;; esac
        while [ "$1" != --sysroot ]; do shift; done
        cp "$2/boot/System.map-6.1.0-test" {tmp_path}/list; """
    entry = run(tmp_path, says + LEAVES_C.format(text="int x;"), **kernel_info(tmp_path))
    assert (entry["status"], entry["error"]) == ("built", "")
    assert " vfs_read\n" in (tmp_path / "list").read_text()
