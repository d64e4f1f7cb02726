# SPDX-License-Identifier: GPL-3.0-or-later
"""Take what a host hands over of its kernel, check it, and keep it on the controller: once for each build id."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import bundle, symbols
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.bundle import Bundle
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import cache_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import module_cache

KEPT = 64  # kernels of which something is kept; a bundle has 2 to 4 MB
KEPT_BYTES = 1 << 30
PACKED = 48 << 20  # bytes of one part as a host sends it
NO_BTF = "this kernel has no BTF (/sys/kernel/btf/vmlinux; CONFIG_DEBUG_INFO_BTF), so that it does not tell its types"

# One line "name base64" for each part. Symbols of modules are left out; head keeps a host from sending without end.
_SEND = """set -e
send() {{ printf '%s ' "$1"; gzip -6 -c | base64 | tr -d '\\n' | head -c {limit}; echo; }}
if {btf}; then
    [ -r /sys/kernel/btf/vmlinux ] || {{ echo no-btf; exit 0; }}
    send btf </sys/kernel/btf/vmlinux
fi
send notes </sys/kernel/notes
sed '/\\[/d' /proc/kallsyms | send kallsyms
"""


def command(*, btf: bool) -> str:
    """Return the shell command that has a host send its kernel's notes and symbols, and its types with `btf`."""
    return _SEND.format(limit=PACKED, btf="true" if btf else "false").strip()


def handed_over(code: int, out: str, err: str, *, build_id: str, host: str) -> Bundle:
    """Return what a host sent, checked; FleetdiagError says what is wrong with it."""
    if out.strip() == "no-btf":
        raise FleetdiagError(NO_BTF)
    parts = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
    if code or "kallsyms" not in parts or "notes" not in parts:
        raise FleetdiagError(
            f"its kernel could not be asked ({printable(err.strip())[-300:] or f'exit code {code}'})"
        )
    try:
        found = Bundle(
            **{
                name: bundle.expand(parts[name], name, most, 31) if name in parts else b""
                for name, most in bundle.LIMITS.items()
            }
        )
        told = symbols.build_id(found.notes)
        symbols.read_kallsyms(found.kallsyms)
    except KernelInfoError as error:
        raise FleetdiagError(f"{host}: {error}") from error
    if told != build_id:
        raise FleetdiagError(
            f"{host}: it hands over a kernel with build id {told}, but its preflight said {build_id};"
            " it was booted meanwhile, or does not say what is so: sweep again"
        )
    return found


class Store:
    """Keep bundles by build id below the directory of modules; those that were not used for the longest time go."""

    def __init__(self, directory: Path | None = None) -> None:
        """Take a directory of the user's own; by default that of modules."""
        self.directory = (directory or cache_dir()) / "kernelinfo"

    def get(self, build_id: str, *, btf: bool) -> Path | None:
        """Return the file of a kernel if there is one that is whole, with its types where `btf` asks for them."""
        path = self._path(build_id)
        try:
            found = bundle.unpack(kept(path) or b"")
        except KernelInfoError:
            return None
        return path if found.btf or not btf else None

    def put(self, build_id: str, found: Bundle) -> Path:
        """Keep a bundle and return its file."""
        path = self._path(build_id)
        keep(path, bundle.pack(found))
        return path

    def _path(self, build_id: str) -> Path:
        return self.directory / f"{build_id}.json"


def kept(path: Path) -> bytes | None:
    """Return a file that `keep` wrote, which counts as used now; None where there is none."""
    try:
        data = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    return data


def keep(path: Path, data: bytes, *, most_bytes: int = KEPT_BYTES) -> None:
    """Write a file. What was not used for the longest time goes beyond KEPT files or `most_bytes` in its folder."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FleetdiagError(f"{path.parent}: cannot be made ({error.strerror})") from error
    module_cache.write(path, data)
    files = []
    for one in path.parent.glob("[!.]*"):
        with contextlib.suppress(OSError):
            status = one.stat()
            files.append((status.st_mtime, status.st_size, one))
    total = 0
    for number, (_used, size, one) in enumerate(sorted(files, reverse=True)):
        total += size
        if one != path and (number >= KEPT or total > most_bytes):
            with contextlib.suppress(OSError):
                one.unlink()
