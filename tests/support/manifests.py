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


# Prints what GOOD declares.
SCRIPT = r"""global threshold_ms = 1000, all = 0
probe fd.close
{
  printf("%s\t%s\t%s\t%d\t%d\n", fd_row("slow_files"), fd_str(execname()), fd_str(@1), threshold_ms, all)
}
"""


def make(root: Path, name: str = "slow_open", manifest: str = GOOD, script: str | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "probe.yml").write_text(manifest)
    (folder / (script or f"{name}.stp")).write_text(SCRIPT)
    return folder


FULL = """\
description: How long each disk takes to answer.
question: Which disk answers slowly?
output: rows
cost: medium
topic: io
overhead: {percent: 1.5, method: A copy of 100 MB., hits: 200}
parameters:
  slow_ms: {type: int, default: 100, description: A request that takes longer is slow.}
tables:
  requests:
    description: Requests by disk and how long they took.
    interval: true
    what: requests of more than {slow_ms} ms, looked at every {interval_s} s
    sort: -latency
    columns:
      disk: {type: string, role: key, description: The disk.}
      bucket_us: {type: int, role: key, unit: us, description: At least so long.}
      requests: {type: int, role: measure, merge: sum, rate: true, more_is: neutral, description: Requests.}
      time: {type: duration, role: measure, unit: us, merge: sum, description: Time of all., compare: {scope: key}}
      moved: {type: bytes, role: measure, unit: B, merge: sum, description: What was read and written.}
      longest: {type: duration, role: measure, unit: us, merge: p99, more_is: worse, description: The longest.}
      scheduler: {type: string, role: measure, merge: last, description: Its scheduler.}
    derived:
      records: {type: int, merge: records, description: Rows., compare: {min_difference: 3}}
      latency: {type: duration, ratio: [time, requests], more_is: worse, label: time each, description: One.}
    checks: [{measure: longest, above: 0.5, severity: warning, scope: key}]
    views:
      - {kind: table}
      - {kind: series, measure: requests}
      - {kind: histogram, bucket: bucket_us, measure: requests}
      - {kind: heatmap, bucket: bucket_us, measure: records}
"""
