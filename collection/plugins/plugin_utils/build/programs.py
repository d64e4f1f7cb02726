# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask hosts which builds of the probed programs they have, take one of each, and keep it on the controller by content.

A file comes from whoever has the host. It is bounded, compared with its checksum, and read as far as that tells
whether it is what it should be; it is never run.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import program_root
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import bundle
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.files import cache_dir
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import diagnosis, kernel_info
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.process_points import PATH
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramFile

MAX_BYTES = 64 << 20  # of one program
KEPT_BYTES = 512 << 20
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
NO_ANSWER = "the host did not say what it has there; sweep again"

# One line for each path: its number, then `absent`, or bytes, owner, mode, checksum, build id and the real path.
_ASK = """LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH
note=040000001400000003000000474e5500 # of a build id: sizes, kind, "GNU"
ask() {{
    real=$(readlink -f -- "$2") && [ -f "$real" ] && facts=$(stat -c '%s %u %a' -- "$real") || {{
        echo "$1 absent"
        return
    }}
    sum=- id=-
    if [ "${{facts%% *}}" -le {limit} ]; then
        sum=$(sha256sum <"$real")
        id=$(head -c 65536 <"$real" | od -An -v -tx1 | tr -d ' \\n' | sed -n "s/.*$note\\([0-9a-f]\\{{40\\}}\\).*/\\1/p")
    fi
    echo "$1 $facts ${{sum%% *}} ${{id:--}} $real"
}}
"""
_ANSWER = re.compile(
    r"([0-9]{1,4}) ([0-9]{1,15}) ([0-9]{1,10}) ([0-7]{1,4}) ([0-9a-f]{64}|-) ([0-9a-f]{40}|-) (.+)"
)


def question(paths: Sequence[str]) -> str:
    """Return the shell command that has a host say which files it has at these paths."""
    asked = "".join(f"ask {number} {shlex.quote(path)}\n" for number, path in enumerate(paths))
    return _ASK.format(limit=MAX_BYTES) + asked


def answered(out: str, paths: Sequence[str], host: str) -> dict[str, ProgramFile]:
    """Return {path: what a host has there}; where that cannot be probed, `trouble` says why."""
    said = {line.partition(" ")[0]: line for line in out.splitlines()}
    return {
        path: _file(said.get(str(number), ""), replace(ProgramFile(), path=path, host=host))
        for number, path in enumerate(paths)
    }


def _file(line: str, asked: ProgramFile) -> ProgramFile:
    if line.endswith(" absent"):
        return replace(asked, trouble="there is no such file")
    found = _ANSWER.fullmatch(line)
    if not found or not PATH.fullmatch(found[7]):
        return replace(asked, trouble=NO_ANSWER)
    size, owner, mode = int(found[2]), int(found[3]), int(found[4], 8)
    told = replace(asked, real=found[7], bytes=size)
    if owner or mode & WRITABLE:
        return replace(
            told, trouble="somebody other than root may change it, who could then write what a builder reads"
        )
    if size > MAX_BYTES:
        return replace(told, trouble=f"it has {size} bytes, more than the {MAX_BYTES} that are taken")
    if found[6] == "-":
        return replace(told, trouble="it has no build id, by which a module would know it")
    return replace(told, sha256=found[5], build_id=found[6])


def chosen(paths: Iterable[str], hosts: Sequence[Mapping[str, ProgramFile]]) -> dict[str, ProgramFile]:
    """Return {path: the build that most of the hosts have, and which of them hands it over}.

    hosts: of one kernel, what each has. Of builds that equally many have, that of the first host. Where no host has one
    that can be probed, the trouble of the first.
    """
    found: dict[str, ProgramFile] = {}
    for path in paths:
        files = [had[path] for had in hosts if path in had]
        usable = [file for file in files if not file.trouble]
        most = Counter(file.sha256 for file in usable).most_common(1)
        if most:
            found[path] = next(file for file in usable if file.sha256 == most[0][0])
        else:
            found[path] = files[0] if files else ProgramFile(path=path, trouble=NO_ANSWER)
    return found


def unlike(built: Mapping[str, ProgramFile], had: Mapping[str, ProgramFile]) -> str:
    """Return why a module that was built for these programs is not for a host that has those, "" if it is."""
    for path, file in built.items():
        own = had.get(path) or ProgramFile(path=path, trouble=NO_ANSWER)
        if own.trouble:
            return f"{path} {diagnosis.NO_PROGRAM} on this host: {own.trouble}"
        if (own.sha256, own.real) != (file.sha256, file.real):
            return (
                f"its {path} is not the one that the module is for: build id {own.build_id} here, {file.build_id} on"
                f" {file.host}; bring them to one version, or sweep these hosts by themselves"
            )
    return ""


def command(file: ProgramFile) -> str:
    """Return the shell command that has a host send a program."""
    return f"gzip -6 -c <{shlex.quote(file.real)} | base64 | tr -d '\\n' | head -c {kernel_info.PACKED * 2}"


def handed_over(code: int, out: str, err: str, file: ProgramFile) -> bytes:
    """Return the program that a host sent, checked; FleetdiagError says what is wrong with it."""
    where = f"{file.host}: {file.path}"
    if code or not out.strip():
        raise FleetdiagError(
            f"{where} was not handed over ({printable(err.strip())[-300:] or f'exit code {code}'}); sweep again"
        )
    try:
        data = bundle.expand(out.strip(), file.path, MAX_BYTES, 31)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise FleetdiagError(f"{where} changed while it was asked for; sweep again")
        told = program_root.checked(data)
    except KernelInfoError as error:
        raise FleetdiagError(f"{where} {diagnosis.NO_PROGRAM}: {error}") from error
    if told != file.build_id:
        raise FleetdiagError(
            f"{where} has build id {told}, but the host said {file.build_id}; look what answers so"
        )
    return data


class ProgramStore:
    """Keep programs by their content beside what is kept of kernels; what was not used for the longest time goes."""

    def __init__(self, directory: Path | None = None) -> None:
        """Take a directory of the user's own; by default that of modules."""
        self.directory = (directory or cache_dir()) / "programs"

    def get(self, sha256: str) -> Path | None:
        """Return the file with this content, or None."""
        path = self.directory / sha256
        data = kernel_info.kept(path)
        return path if data is not None and hashlib.sha256(data).hexdigest() == sha256 else None

    def put(self, sha256: str, data: bytes) -> None:
        """Keep a program."""
        kernel_info.keep(self.directory / sha256, data, most_bytes=KEPT_BYTES)
