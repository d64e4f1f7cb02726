# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack what one host of a kernel hands over, and unpack it within bounds."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf, symbols
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

FORM = 1
LIMITS = {"btf": btf.MAX_BYTES, "kallsyms": symbols.MAX_BYTES, "notes": symbols.MAX_NOTES}
MAX_BYTES = 64 << 20  # of a bundle; a distribution's kernel has 4 MB


class Bundle(NamedTuple):
    """Hold BTF (empty where the kernel's headers have it), kallsyms and notes of one kernel."""

    btf: bytes
    kallsyms: bytes
    notes: bytes


def pack(bundle: Bundle) -> bytes:
    """Return the bundle as one file; the same bundle gives the same bytes."""
    parts = {
        name: base64.b64encode(zlib.compress(value, 6)).decode() for name, value in bundle._asdict().items()
    }
    return json.dumps({"form": FORM, **parts}, sort_keys=True).encode()


def unpack(data: bytes) -> Bundle:
    """Return the bundle of a file that `pack` made."""
    if len(data) > MAX_BYTES:
        raise KernelInfoError(f"what a host hands over of its kernel has more than {MAX_BYTES} bytes")
    try:
        parts = json.loads(data)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, dict) or parts.get("form") != FORM:
        raise KernelInfoError("what a host hands over of its kernel is damaged; remove it and sweep again")
    return Bundle(**{name: expand(parts.get(name), name, most, 15) for name, most in LIMITS.items()})


def expand(text: Any, name: str, most: int, window: int) -> bytes:
    """Return what a part (`name`) is, from base64 of zlib's form (`window` 15) or gzip's (31); at most `most` bytes."""
    try:
        unpacker = zlib.decompressobj(wbits=window)
        data = unpacker.decompress(base64.b64decode(str(text), validate=True), most + 1)
    except (binascii.Error, zlib.error) as error:
        raise KernelInfoError(f"what the host handed over is damaged ({name}): {error}") from error
    if len(data) > most:
        raise KernelInfoError(f"{name} of the host has more than {most} bytes")
    if not unpacker.eof:
        raise KernelInfoError(f"what the host handed over is cut off ({name})")
    return data
