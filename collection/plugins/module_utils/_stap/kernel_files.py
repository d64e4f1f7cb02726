# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the debuginfo files that a builder made of kernels, and point SystemTap at one of them.

A file lies in <cache>/<kernel>/kernelinfo/<digest>/boot/vmlinux-<kernel>, where SYSTEMTAP_DEBUGINFO_PATH=<...>/<digest>
finds it; what the distribution installed is not touched. The digest is over all that the file is made from.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import cross
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf, read_btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.bundle import (
    MAX_BYTES,
    unpack,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.elf import (
    btf_section,
    symbol_sizes,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.kmodule import (
    make_module,
    module_build_id,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.layout import layout_checks
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.symbols import (
    read_kallsyms,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.vmlinux import make_vmlinux

# What is made, below the folder of a kernel in the cache: debuginfo, and the list of functions.
DEBUGINFO = (
    os.path.join("kernelinfo", "*", "boot", "vmlinux-*"),
    os.path.join("kernelinfo", "*", ".build-id", "*", "*.debug"),
)
PATTERNS = (*DEBUGINFO, os.path.join("kernelinfo", "*", "boot", "System.map-*"))
MODULE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PLACED = re.compile(r'"(\w{1,200})@([\w./-]{1,200}\.c)"', re.ASCII)
BY_FILE = re.compile(r'"?([^"\s(]*[*?\[][^"\s(]*@[^"\s)]*)')
NO_DEBUGINFO = re.compile(
    r"cannot find module ([\w-]+) debuginfo|debuginfo scope not found for module '([\w-]+)'"
)
NO_RETURNS = re.compile(r"while processing probe tp_syscall\.\w+\.return from:")
NAMED_MODULE = re.compile(r'\bmodule\s*\(\s*"([^"\n]*)"')
MODULES = "/lib/modules"
MAX_VMLINUX = 2 << 30
# Of functions up to this size one in six has copies inline in others, of larger ones one in twenty (measured on 6.12).
SMALL_BYTES = 256

if TYPE_CHECKING:
    Run = Callable[[list[str], str], tuple[int, str]]


def headers_btf(kernel: str) -> bytes:
    """Return the BTF that the installed headers of a kernel carry (Debian's do), b"" if they have none."""
    path = os.path.join(MODULES, kernel, "build", "vmlinux")
    try:
        if os.path.getsize(path) > MAX_VMLINUX:
            return b""
        with open(path, "rb") as stream:
            return btf_section(stream.read())
    except (OSError, KernelInfoError):
        return b""


def debuginfo_path(
    bundle_file: str,
    home: str,
    kernel: str,
    build_id: str,
    run: Run,
    files: Mapping[str, str],
    machine: str = "",
) -> str:
    """Return the folder that SystemTap is to be pointed at; the file in it is made if it is not there.

    bundle_file: what a host of the kernel handed over. home: the kernel's folder in the cache. build_id: that of the
    kernel that is compiled for; a bundle of another one is refused. run: runs a program in a folder, (code, output).
    files: {function: source file}, as the installed tapset says it. machine: `uname -m` of the kernel's hosts, "" for
    the builder's own.
    """
    with open(bundle_file, "rb") as stream:
        packed = stream.read(MAX_BYTES + 1)
    own = headers_btf(kernel)
    made_from = (MAKER.encode(), repr(sorted(files.items())).encode(), hashlib.sha256(own).digest(), packed)
    digest = hashlib.sha256(b"\0".join(made_from)).hexdigest()
    folder = os.path.join(home, "kernelinfo", digest[:32])
    path = os.path.join(folder, "boot", "vmlinux-" + kernel)
    functions = system_map(folder, kernel)
    if _is_whole(path) and _is_whole(functions):
        for kept in (path, functions):
            os.utime(kept)
        return folder
    wanted = cross.elf_machine(machine)
    bundle = unpack(packed)
    if not own and not bundle.btf:
        raise KernelInfoError("neither the kernel's headers on the builder nor the host have its types (BTF)")
    try:
        made = make_vmlinux(own or bundle.btf, bundle.kallsyms, bundle.notes, files, wanted)
    except MemoryError:
        raise KernelInfoError(
            "making the kernel's debuginfo needs more memory than memory_mb allows"
        ) from None
    if build_id and made.build_id != build_id:
        raise KernelInfoError(
            f"the host handed over symbols of another kernel: build id {made.build_id}, not {build_id}"
        )
    _check_layout(own or bundle.btf, home, kernel, run, cross.make_words(machine))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    _write(functions, read_kallsyms(bundle.kallsyms).system_map())
    _write(path, made.data)
    return folder


def system_map(folder: str, kernel: str) -> str:
    """Return where the list of a kernel's functions lies in a folder that `debuginfo_path` returns."""
    return os.path.join(folder, "boot", "System.map-" + kernel)


def _check_layout(types: bytes, home: str, kernel: str, run: Run, words: list[str]) -> None:
    """Raise if structures are laid out in another way than in the kernel's headers, by which modules are compiled."""
    folder = tempfile.mkdtemp(prefix="layout-", dir=home)
    try:
        for name, text in (("layout.c", layout_checks(read_btf(types))), ("Makefile", "obj-m := layout.o\n")):
            with open(os.path.join(folder, name), "w") as stream:
                stream.write(text)
        code, said = run(
            ["make", "-C", f"{MODULES}/{kernel}/build", f"M={folder}", *words, "layout.o"], folder
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = re.findall(r'static assertion failed: "([^"\n]*)"', said)
    if wrong:
        raise KernelInfoError(
            f"the kernel's types (BTF) are not those of its headers on the builder: {', '.join(wrong[:5])} differ"
        )
    if code:
        last = (
            [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()[-1:] or [""]
        )
        raise KernelInfoError(
            f"the kernel's types (BTF) could not be compared with its headers: {last[0][:300]}"
        )


def _is_whole(path: str) -> bool:
    """Return whether a kept file is what was written."""
    try:
        with open(path + ".sha256") as stream, open(path, "rb") as kept:
            return stream.read() == hashlib.sha256(kept.read()).hexdigest()
    except OSError:
        return False


def _write(path: str, data: bytes) -> None:
    for target, content in ((path, data), (path + ".sha256", hashlib.sha256(data).hexdigest().encode())):
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise


def placed_functions(tapset: Iterable[str]) -> dict[str, str]:
    """Return {function: source file} as the texts of the installed tapset have it, where they agree.

    What a script says itself is not taken: it may mean another function of that name, which BTF cannot tell apart.
    """
    found: dict[str, str] = {}
    for name, path in (pair for text in tapset for pair in PLACED.findall(text)):
        found[name] = path if found.get(name, path) == path else ""
    return {name: path for name, path in found.items() if path}


def refused_pattern(script: str, args: Iterable[str]) -> str:
    """Return the first pattern by which a script asks for the functions of source files, else "".

    Only the files of a few functions are known, so that it would match these and leave out the rest without a word.
    """
    for text in (script, *args):
        found = BY_FILE.search(text)
        if found:
            return found.group(1)
    return ""


def wants_list(said: str) -> bool:
    """Return whether SystemTap misses a function in its list of the kernel's, where it looks for kprobe.function.

    For a system call a tapset then goes on to tracepoints, which have no returns.
    """
    return ("identifier 'kprobe'" in said and "no match" in said) or bool(NO_RETURNS.search(said))


def lacking_modules(said: str) -> list[str]:
    """Return the modules of which SystemTap says that it has no debuginfo."""
    return sorted({name for pair in NO_DEBUGINFO.findall(said) for name in pair} - {"kernel", ""})


def module_names(script: str, args: list[str]) -> list[str]:
    """Return the kernel modules that a script may name, itself or by an argument."""
    return sorted({name for name in [*NAMED_MODULE.findall(script), *args] if MODULE_NAME.fullmatch(name)})


def add_modules(folder: str, bundle_file: str, kernel: str, names: list[str]) -> None:
    """Make the debuginfo of those modules whose file is on the builder and has types; it is found by its build id."""
    files = [path for name in names for path in _module_files(kernel, name)]
    types = None
    for path in files:
        with open(path, "rb") as stream:
            packed = stream.read(MAX_BYTES + 1)
        try:
            identity = module_build_id(packed)
            target = os.path.join(folder, ".build-id", identity[:2], identity[2:] + ".debug")
            if _is_whole(target):
                os.utime(target)
                continue
            types = types or _kernel_types(bundle_file, kernel)
            made = make_module(packed, types)
        except KernelInfoError:
            continue  # SystemTap then says that it has no debuginfo of this module
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        _write(target, made.data)


def small_functions(folder: str, names: Iterable[str]) -> list[str]:
    """Return those of these functions that have few bytes in the debuginfo made in `folder`, or are not there."""
    sizes: dict[str, int] = {}
    found = [path for pattern in DEBUGINFO for path in glob.glob(_below(folder, pattern))]
    for path in [path for path in found if not path.endswith(".sha256")]:
        with open(path, "rb") as stream:
            for name, size in symbol_sizes(stream.read(MAX_VMLINUX)):
                sizes[name] = min(size, sizes.get(name, size))
    return sorted(name for name in set(names) if sizes.get(name, 0) <= SMALL_BYTES)


def _below(folder: str, pattern: str) -> str:
    """Return a pattern of DEBUGINFO for one folder of it."""
    return os.path.join(glob.escape(folder), *pattern.split(os.sep)[2:])


def _kernel_types(bundle_file: str, kernel: str) -> Btf:
    own = headers_btf(kernel)
    if not own:
        with open(bundle_file, "rb") as stream:
            own = unpack(stream.read(MAX_BYTES + 1)).btf
    return read_btf(own)


def _module_files(kernel: str, name: str) -> list[str]:
    """Return the files of a module; in a file's name `-` and `_` are one."""
    either = "".join("[-_]" if letter in "-_" else letter for letter in name)
    tree = os.path.join(MODULES, glob.escape(kernel), "**", either + ".ko")
    return sorted(path for end in ("", ".xz") for path in glob.glob(tree + end, recursive=True))
