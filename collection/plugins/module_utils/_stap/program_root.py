# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay programs of a host out on a builder, so that SystemTap finds them at their paths (`stap --sysroot`).

Beside them lie the kernel's own files, with the list of all its functions where one was made. Programs come from whoever
has the host: they are only read. What SystemTap asks of a library by its bare name it would have the dynamic loader
answer, which runs such a file as good as it loads it; here no file names a loader.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Sequence
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import elf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.symbols import build_id

MODULES = "/lib/modules"
BOOT = "/boot"
RETURNS = "arch_uretprobe_hijack_return_addr"
NULL, INTERPRETER = 0, 3  # types of segments
EXECUTABLES = (2, 3)  # types of files: at a fixed place, or anywhere (programs of today, libraries)
# What cannot be part of a C text; SystemTap writes names of symbols and marks into the module's source.
UNSAFE = re.compile(rb'[\x01-\x1f"\\\x7f]')
ADDRESSES = 24  # bytes before the texts of a mark's note
NOTE_HEAD = 12


def checked(data: bytes) -> str:
    """Return the build id of a program; KernelInfoError says why it cannot be probed."""
    sections = elf.read_sections(data)
    if elf.machine_of(data) != elf.X86_64:
        raise KernelInfoError("it is a program for arm64; only programs of x86-64 can be probed")
    if elf.HEADER.unpack_from(data)[1] not in EXECUTABLES:
        raise KernelInfoError("it is neither a program nor a library")
    for section in sections:
        if section.type == elf.STRTAB and UNSAFE.search(section.data):
            raise KernelInfoError("names of its symbols hold what could be a piece of a C program")
        if section.name == ".note.stapsdt" and any(UNSAFE.search(text) for text in _marks(section.data)):
            raise KernelInfoError("names of its marks hold what could be a piece of a C program")
    notes = next((section.data for section in sections if section.name == ".note.gnu.build-id"), b"")
    return build_id(notes)


def _marks(notes: bytes) -> list[bytes]:
    """Return the texts of each mark: provider, name and arguments."""
    found, at = [], 0
    while at + NOTE_HEAD <= len(notes):
        name, text = (int.from_bytes(notes[at + n : at + n + 4], "little") for n in (0, 4))
        begins = at + NOTE_HEAD + (name + 3 & ~3)
        found.append(notes[begins + ADDRESSES : begins + text])
        at = begins + (text + 3 & ~3)
    return found


def without_loader(data: bytes) -> bytes:
    """Return a program that names no dynamic loader; all else is as it was."""
    fields = elf.HEADER.unpack_from(data)
    table, size, count = fields[5], fields[9], fields[10]
    if count and (size != elf.SEGMENT.size or table + count * size > len(data)):
        raise KernelInfoError("this ELF file is damaged: its table of segments cannot be read")
    made = bytearray(data)
    for at in range(table, table + count * size, size or 1):
        if int.from_bytes(made[at : at + 4], "little") == INTERPRETER:
            made[at : at + 4] = NULL.to_bytes(4, "little")
    return bytes(made)


def make_root(root: str, kernel: str, programs: Sequence[dict[str, Any]], debuginfo: str) -> None:
    """Make the folder anew that `stap --sysroot` is given: the programs at their paths, and the kernel's own files.

    programs: `path` as the script names it, `real` where that leads, `file` with the content. debuginfo: folder with
    the debuginfo that was made of the kernel, "" where none was.
    """
    shutil.rmtree(root, ignore_errors=True)
    modules = root + os.path.join(MODULES, kernel)
    os.makedirs(modules, mode=0o700)
    for path in glob.glob(os.path.join(glob.escape(os.path.join(MODULES, kernel)), "*")):
        os.symlink(path, os.path.join(modules, os.path.basename(path)))
    _lay_out_boot(root + BOOT, kernel, kernel_files.system_map(debuginfo, kernel) if debuginfo else "")
    if debuginfo:
        os.symlink(f"{debuginfo}/boot/vmlinux-{kernel}", modules + "/vmlinux")
    for program in programs:
        _lay_out(root, program)


def _lay_out_boot(folder: str, kernel: str, functions: str) -> None:
    """Link the kernel's files, and see to it that its list of symbols has RETURNS. functions: its whole list, or "".

    SystemTap looks there whether a program's returns can be probed. Debian's list is an empty one, while every kernel of
    x86-64 since 3.10 has that function where programs can be probed at all.
    """
    os.makedirs(folder, mode=0o700)
    for path in glob.glob(glob.escape(f"{BOOT}/") + "*-" + glob.escape(kernel)):
        os.symlink(path, os.path.join(folder, os.path.basename(path)))
    symbols = os.path.join(folder, "System.map-" + kernel)
    if os.path.exists(functions):
        with contextlib.suppress(FileNotFoundError):
            os.remove(symbols)
        os.symlink(functions, symbols)
        return
    try:
        with open(symbols) as stream:
            known = RETURNS in stream.read()
        if not known:
            os.remove(symbols)
    except FileNotFoundError:
        known = False
    if not known:
        with open(symbols, "w") as stream:
            stream.write(f"{'0' * 16} T {RETURNS}\n")


def _lay_out(root: str, program: dict[str, Any]) -> None:
    real, path = root + program["real"], root + program["path"]
    for place in (real, path):
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    if not os.path.exists(real):
        with open(program["file"], "rb") as stream:
            data = stream.read()
        checked(data)
        with open(real, "wb") as stream:
            stream.write(without_loader(data))
        os.chmod(real, 0o700)  # SystemTap takes no program that could not be run
    if not os.path.lexists(path):
        os.symlink(os.path.relpath(real, os.path.dirname(path)), path)
