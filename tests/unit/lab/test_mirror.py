# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import mirror

SECURITY = """\
Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main
"""
MAIN = """\
Types: deb deb-src
# a comment between the fields
URIs: http://mirror.example/debian
  https://second.example/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mirror.VARIABLE, raising=False)


def apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        path = (
            folder / "sources.list" if name == "main" else folder / "sources.list.d" / name.replace("_", ".")
        )
        path.write_text(text)
    return folder


def test_deb822_main_archive_is_found_behind_security_and_vendors(tmp_path: Path) -> None:
    vendor = "Types: deb\nURIs: https://vendor.example/apt\nSuites: stable\nComponents: main\n"
    folder = apt(tmp_path, a_sources=vendor, debian_sources=SECURITY + "\n" + MAIN)
    assert mirror.find(folder) == "http://mirror.example/debian"


def test_one_line_format_with_options_and_comments(tmp_path: Path) -> None:
    text = (
        "# deb http://commented.example/debian trixie main\n"
        "deb-src http://source.example/debian trixie main\n"
        "deb http://security.example/debian-security trixie-security main\n"
        "deb http://updates.example/debian trixie-updates main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main # ours\n"
    )
    assert mirror.find(apt(tmp_path, main=text)) == "http://mirror.example/debian"


def test_disabled_stanza_and_other_distribution_are_not_taken(tmp_path: Path) -> None:
    ubuntu = "deb http://mirror.example/ubuntu noble main\n"
    folder = apt(tmp_path, main=ubuntu, debian_sources="Enabled: no\n" + MAIN)
    with pytest.raises(FleetdiagError, match=f"no Debian archive.*set {mirror.VARIABLE}"):
        mirror.find(folder)


def test_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mirror.VARIABLE, "http://near.example/debian")
    assert mirror.find(apt(tmp_path, debian_sources=MAIN)) == "http://near.example/debian"
