# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import requirements


def test_missing_programs_become_the_packages_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "_SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FleetdiagError, match=r"apt-get install .*mmdebstrap.*qemu-system-x86 qemu-utils"):
        requirements.check(tmp_path, tmp_path, 0, 0)


@pytest.mark.parametrize(("disk_gb", "memory_gb", "what"), [(10**6, 0, "free"), (0, 10**6, "available")])
def test_too_little_room_is_one_sentence_with_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk_gb: float, memory_gb: float, what: str
) -> None:
    monkeypatch.setattr(requirements, "_COMMANDS", {})
    monkeypatch.setattr(requirements.mirror, "ARCHIVE_KEYRING", tmp_path)
    monkeypatch.setattr(requirements.rights, "is_root", lambda: True)
    with pytest.raises(FleetdiagError, match=rf"the lab needs 1000000.* GB .*, .* GB are {what}"):
        # Directories that are not made yet: their nearest parent's disk counts.
        requirements.check(tmp_path / "cache" / "lab", tmp_path / "state", disk_gb, memory_gb)


def test_an_arm_machine_needs_more_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "_COMMANDS", {})
    monkeypatch.setattr(requirements, "_SYSTEM_PATH", str(tmp_path))
    monkeypatch.setattr(requirements.mirror, "ARCHIVE_KEYRING", tmp_path)
    monkeypatch.setattr(requirements.rights, "is_root", lambda: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    requirements.check(tmp_path, tmp_path, 0, 0)
    with pytest.raises(FleetdiagError, match=r"apt-get install qemu-system-arm$"):
        requirements.check(tmp_path, tmp_path, 0, 0, foreign=True)
    with pytest.raises(FleetdiagError, match=r"apt-get install arch-test qemu-system-arm qemu-user-static$"):
        requirements.check(tmp_path, tmp_path, 0, 0, foreign=True, foreign_image=True)
    monkeypatch.setattr(requirements, "_FOREIGN_COMMANDS", {})
    monkeypatch.setattr(requirements, "_FOREIGN_IMAGE_COMMANDS", {})
    monkeypatch.setattr(requirements, "_BINFMT", tmp_path / "none")
    with pytest.raises(FleetdiagError, match="programs of arm64 do not run here"):
        requirements.check(tmp_path, tmp_path, 0, 0, foreign=True, foreign_image=True)
