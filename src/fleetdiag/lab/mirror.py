# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Debian mirror to build from: the one this machine uses itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError

ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
VARIABLE = "FLEETDIAG_MIRROR"


def find(apt_dir: Path = Path("/etc/apt")) -> str:
    """Return the URI of Debian's main archive: $FLEETDIAG_MIRROR, else the first in this machine's apt sources."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return given
    files = [apt_dir / "sources.list", *sorted((apt_dir / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        entries = stanzas(text) if file.suffix == ".sources" else lines(text.splitlines())
        for uri, suites, components in entries:
            if is_main_archive(uri, suites, components):
                return uri
    raise FleetdiagError(
        f"{apt_dir}: no Debian archive among the apt sources of this machine; "
        f"set {VARIABLE} to the URI of a Debian mirror"
    )


def is_main_archive(uri: str, suites: list[str], components: list[str]) -> bool:
    """Return whether an apt entry is Debian's own archive: not security, not a vendor's, not Ubuntu."""
    path = uri.rstrip("/")
    if not path.endswith("/debian") or "main" not in components:
        return False
    return any(re.fullmatch(r"[a-z]+", suite) for suite in suites)


def lines(text: Iterable[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (URI, [suite], components) of each `deb` line of the one-line format."""
    for line in text:
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            yield match[1], [match[2]], match[3].split()


def stanzas(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (URI, suites, components) of each enabled `deb` stanza of the deb822 format, once for each URI."""
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + " " + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            for uri in fields.get("uris", "").split():
                yield uri, fields.get("suites", "").split(), fields.get("components", "").split()
