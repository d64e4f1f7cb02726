# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder: a root file system with SystemTap and the headers of the lab's kernels, at native speed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import cache, commands, images, machines_data, paths, rights, ssh
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.log import step
from fleetdiag.lab.processes import Process, State, alive

# $1: the entry's folder; the other arguments: tars of kernel modules.
_TO_TREE = """
set -eu
cd "$1"
shift
mkdir tree
tar --extract --numeric-owner --file root.tar --directory tree --exclude './dev/*'
for modules in "$@"; do
    tar --extract --file "$modules" --directory tree --keep-directory-symlink
done
rm root.tar
"""


def name(kernels: dict[str, str]) -> str:
    """Return the name of the builder's cache entry for `kernels` {release: suite its headers come from}."""
    return cache.key(
        "builder",
        {
            "format": machines_data.FORMAT,
            "suite": machines_data.BUILDER_SUITE,
            "packages": list(machines_data.BUILDER_PACKAGES),
            "kernels": kernels,
            "scripts": [_script("builder_late.sh"), _TO_TREE],
        },
    )


def ensure(built: Iterable[BuiltImage]) -> Path:
    """Return the builder's tree for the kernels of the images `built`, made when missing.

    What compiles for kernels of another machine is left to the role `builder`, so that nobody else pays for it.
    """
    by_release = {image.release: image for image in built if image.architecture == machines_data.AMD64}
    kernels = {release: image.suite for release, image in by_release.items()}
    made_from = [by_release[release] for release in sorted(by_release)]
    return cache.entry(paths.cache_dir(), name(kernels), lambda folder: _make(made_from, folder))


def start(folder: Path, keys: Keys, state: State) -> Process:
    """Start the builder's sshd on a free port of 127.0.0.1, in namespaces that end with it."""
    layer = state.folder / "builder"
    with step("builder: start"):
        cache.remove(layer)
        layer.mkdir(parents=True)
        port = ssh.free_port()
        settings = {
            "tree": str(folder / "tree"),
            "layer": str(layer),
            "keep": str(paths.cache_dir() / "builder-keep"),
            "keys": str(keys.folder),
            "port": str(port),
            # Without root's own attributes overlayfs keeps its notes in the user's.
            "overlay": "" if rights.is_root() else "userxattr,",
        }
        script = "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items())
        command = ["unshare", *rights.namespace_flags(), "--mount", "--pid", "--fork", "--kill-child", "--"]
        command += ["/bin/sh", "-c", script + _script("builder_start.sh")]
        fields = {"kind": "builder", "ports": {"ssh": port}, "image": folder.name}
        log = state.folder / "builder.log"
        process = state.spawn(machines_data.BUILDER, fields, command, log)
        if not ssh.wait_for_banner(port, 30, lambda: alive(process)):
            state.stop(machines_data.BUILDER)
            raise FleetdiagError(f"the builder's sshd did not start; its log:\n{commands.tail(log)}")
        process = replace(process, ready=True)
        state.record(machines_data.BUILDER, process)
        return process


def _make(built: list[BuiltImage], folder: Path) -> None:
    log = folder / "build.log"
    packages = [*machines_data.BUILDER_PACKAGES, *(f"linux-headers-{image.release}" for image in built)]
    suites = list(dict.fromkeys([machines_data.BUILDER_SUITE, *(image.suite for image in built)]))
    with step("builder: packages"):
        hooks = [f"--customize-hook={_script('builder_late.sh')}", "--skip=cleanup/apt/lists"]
        commands.logged(
            "builder", images.mmdebstrap(suites, packages, hooks), log, stdout=folder / "root.tar"
        )
    with step("builder: tree"):
        tars = [str(image.modules) for image in built]
        commands.logged(
            "builder", [*rights.prefix(), "sh", "-c", _TO_TREE, "to-tree", str(folder), *tars], log
        )


def _script(file: str) -> str:
    return (paths.files_dir() / file).read_text()
