# SPDX-License-Identifier: GPL-3.0-or-later
"""SystemTap's installed examples: how a builder is asked for some, and where the controller keeps them.

They are kept by SystemTap's version, so that one sweep after another finds them where `scripts.load` looks. What a
host answers is not trusted: names are those asked for, sizes are bounded.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import cache_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain, policy

# Where the packages of distributions put them. What is looked for is one that every version had.
_LOOK = r"""
for dir in /usr/share/systemtap/examples /usr/share/systemtap/testsuite/systemtap.examples \
    /usr/share/doc/systemtap*/examples /usr/share/doc/packages/systemtap/examples /usr/local/share/systemtap/examples; do
  if [ -e "$dir/network/nettop.meta" ] || [ -e "$dir/io/iotop.meta" ]; then found=$dir; break; fi
done
echo "stap=$(stap -V 2>&1 | sed -n 's/.*version \([0-9][0-9.]*\).*/\1/p' | head -n 1)"
[ -n "${found:-}" ] || exit 0
cd "$found" || exit 0
echo "folder=$found"
find . -mindepth 2 -maxdepth 2 -name '*.meta' | sed 's|^\./|name=|; s|\.meta$||' | sort | head -n 2000
for file in __FILES__; do
  [ ! -f "$file" ] || echo "file=$file $(head -c 300000 "$file" | gzip -1c | base64 | tr -d '\n')"
done
"""
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_MAX_FILE = 300_000


@dataclass
class Found:
    """What a host has. folder: where its examples lie, empty if it has none. files: {"network/nettop.stp": bytes}."""

    stap: str = ""
    folder: str = ""
    names: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def command(names: Iterable[str]) -> str:
    """Return the shell command that answers with the scripts of these examples; other names are left out."""
    files = " ".join(shlex.quote(file) for file in _files(names)) or "''"
    return _LOOK.replace("__FILES__", files).strip()  # Ansible puts `&& sleep 0` behind it


def read_answer(text: str, names: Sequence[str]) -> Found:
    """Return the host's answer to `command(names)`. Raises FleetdiagError if it cannot be read."""
    found = Found()
    wanted = set(_files(names))
    for line in text.splitlines():
        key, _unused, value = line.partition("=")
        if key == "stap" and _VERSION.fullmatch(value):
            found.stap = value
        elif key == "folder":
            found.folder = printable(value)[:200]
        elif key == "name" and _NAME.fullmatch(value):
            found.names.append(value)
        elif key == "file":
            name, _unused2, packed = value.partition(" ")
            if name in wanted:
                found.files[name] = _unpacked(name, packed)
    return found


def keep(found: Found, host: str, cache: Path | None = None) -> Path:
    """Write them where `scripts.in_cache` finds them; the folder with the topics."""
    folder = (cache or cache_dir()) / "examples" / (found.stap or "0")
    texts: Mapping[str, bytes] = {
        **found.files,
        "index.txt": "".join(f"{name}\n" for name in found.names).encode(),
        plain.ORIGIN: f"{found.folder} of SystemTap {found.stap} on {printable(host)}\n".encode(),
    }
    try:
        for name, text in texts.items():
            _write(folder / name, text)
    except OSError as error:
        raise FleetdiagError(
            f"{error.filename or folder}: the examples cannot be kept there ({error.strerror}); free some space"
        ) from error
    return folder


def _files(names: Iterable[str]) -> list[str]:
    """Return the files of each example: its script, its `.meta`, and the program of some that are no script."""
    files: list[str] = []
    for name in names:
        if plain.is_example(name):
            path = "/".join(plain.topic_and_name(name))
            files += [f"{path}.stp", f"{path}.meta", path]
    return list(dict.fromkeys(files))


def _unpacked(name: str, packed: str) -> bytes:
    try:
        text = zlib.decompressobj(wbits=31).decompress(base64.b64decode(packed, validate=True), _MAX_FILE)
    except (ValueError, zlib.error):
        raise FleetdiagError(
            f"the example {name} did not arrive whole from the builder; sweep again"
        ) from None
    return text[: policy.MAX_BYTES + 1]  # longer than that it is refused, and says so


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    temporary.replace(path)
