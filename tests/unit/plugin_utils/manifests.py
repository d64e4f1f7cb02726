# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that uses most of what there is, and a way to make it a probe folder."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
description: Files that stayed open longer than a threshold.
question: Which files stay open too long, and by whom?
output: rows
cost: low
requires:
  debuginfo: false
  module_files: ["{module}", vfat]
limits: {output_mb: 8, overload_percent: 20}
parameters:
  threshold_ms: {type: int, default: 1000, min: 1, max: 3600000, unit: ms, description: Shortest time.}
  module: {type: string, default: ext4, pattern: "^[a-z0-9_]+$", when: compile, description: File system.}
  all: {type: bool, default: false, description: Also pipes.}
tables:
  slow_files:
    description: Files open too long.
    interval: true
    sort: -seconds
    columns:
      process: {type: string, role: key, description: Process name.}
      path: {type: path, role: key, description: File name.}
      seconds: {type: duration, role: measure, unit: us, merge: max, more_is: worse, description: Time.}
      size: {type: bytes, role: measure, unit: KB, merge: sum, rate: true, description: Bytes read.}
"""


def make(root: Path, name: str = "slow_open", manifest: str = GOOD, script: str | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "probe.yml").write_text(manifest)
    (folder / (script or f"{name}.stp")).write_text("probe begin { exit() }\n")
    return folder
