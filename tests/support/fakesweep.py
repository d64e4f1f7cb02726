# SPDX-License-Identifier: GPL-3.0-or-later
"""A small sweep for the tests of its steps: its run directory, what a host says of itself, its builds."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write

SWEEP = "20261123_071502_1f3a"
HOSTS = ("web1", "web2", "web3")
KERNEL = "6.12.107+deb13-amd64"
BUILD_ID = "ab" * 20
STAP, STAPRUN = "5.6", "5.1"
NONCE = "0123456789abcdef"
MANIFEST: dict[str, Any] = {
    "title": "x",
    "description": "x",
    "question": "x?",
    "topic": "other",
    "origin": "/x.stp",
    "output": "auto",
    "cost": "medium",
    "unmodified": True,
}
SAID = {
    "uid": "0",
    "kernel": KERNEL,
    "kernel_build_id": BUILD_ID,
    "boot_id": "5e3f2a10-9f2a-4a5a-8d36-0123456789ab",
    "staprun": STAPRUN,
    "systemd": "257",
    "init": "systemd",
    "free_mb": "5000",
    "mem_available_mb": "700",
    "cpus": "1",
}
"""What a host that can be probed answers to preflight."""
CLOCK = {"offset_s": 0.0, "error_s": 0.1}


def said(**changed: str) -> str:
    """Return the answer to preflight, as the host program prints it."""
    return "".join(f"{key}={value}\n" for key, value in {**SAID, **changed}.items())


def facts(**changed: Any) -> dict[str, Any]:
    """Return a preflight.json of a host that can be probed."""
    numbers = {"free_mb": 5000, "mem_available_mb": 700, "cpus": 1}
    return {**SAID, **numbers, "clock": CLOCK, "verdict": "ok", **changed}


def new_run(folder: Path, *probes: str, hosts: tuple[str, ...] = HOSTS, **more: Any) -> Path:
    """Return the run directory of a sweep that has just begun, with scripts of its own."""
    listed = [
        {"name": name, "manifest": MANIFEST, "parameters": {}, "nonce": NONCE, "script": "probe begin {}"}
        for name in probes or ("tick",)
    ]
    sweep = {"id": SWEEP, "hosts": list(hosts), "builders": [], "window_s": 30, "probes": listed, **more}
    return write.create(folder / "runs", sweep)


def keep_modules(run: Path, kernel: str = KERNEL) -> dict[str, str]:
    """Put a module for every script of the sweep into the controller's cache; return {name: checksum}."""
    store, kept = ModuleStore(), {}
    sweep = read.open_run(run).request
    for source in sources.sources(sweep, stap=STAP, kernel=kernel, build_id=BUILD_ID):
        kept[source.name] = store.put(source.key, f"module {source.name}".encode(), {"probe": source.name})
    return kept


def sampled(probe: str = "tick", text: bytes = b"row\n", *, result: str = "success 0 120000") -> str:
    """Return one session of the answer to collect, its lines before the last one."""
    packed = b64encode(gzip.compress(text)).decode()
    head = f"{result} {len(text)} {hashlib.sha256(text).hexdigest()} {len(text)} -"
    return f"session {probe} {head}\nout {probe} {packed}\nerr {probe} {b64encode(gzip.compress(b'')).decode()}\n"
