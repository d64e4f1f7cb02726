# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compiled module depends on: its cache key, and the limits that are compiled into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import first_line

OVERLOAD_INTERVAL_CYCLES = 1_000_000_000
# A probe that takes more than this share of a processor's cycles within one interval ends itself. SystemTap's
# own default is 50 %. On an emulated machine a handler costs many more cycles than on hardware, so a manifest
# may say more (limits.overload_percent).
CYCLES_PER_PERCENT = OVERLOAD_INTERVAL_CYCLES // 100

# Handlers that may be skipped (locks held elsewhere, reentrancy) before the session gives up.
MAX_SKIPPED = 100

# Statements one run of a handler may execute (ten times as many at the session's end). SystemTap's own 1000 is too
# few for a handler that prints an interval's 200 rows.
MAX_ACTION = 5000

# kB a module may allocate. Maps and counters are kept once for each processor, so a large host needs far more
# than a small one; the limit is there for a script that is wrong by orders of magnitude.
MAX_MEMORY_KB = 256 * 1024


def flags(probe: Probe, overload_percent: int = 0) -> list[str]:
    """Return the options of `stap` that hold a module within its manifest's limits. Never `-g` or a switch-off.

    A script that was not written for fleetdiag may say other limits on its first line.
    overload_percent: share of a processor the whole sweep allows instead of what each manifest says; 0 leaves that.

    The size of the output buffer is not among them: `stap -s` only hands it to staprun, as `staprun -b`.
    """
    limits = probe.limits
    flags = [
        f"-DSTP_OVERLOAD_THRESHOLD={(overload_percent or limits.overload_percent) * CYCLES_PER_PERCENT}LL",
        f"-DSTP_OVERLOAD_INTERVAL={OVERLOAD_INTERVAL_CYCLES}LL",
        f"-DSTP_MAXMEMORY={MAX_MEMORY_KB}",
        "-DMAXERRORS=0",
        f"-DMAXSKIPPED={MAX_SKIPPED}",
        f"-DMAXACTION={MAX_ACTION}",
        f"-DMAXMAPENTRIES={limits.map_entries}",
        f"-DMAXSTRINGLEN={limits.string_length}",
    ]
    return first_line.with_limits(flags, probe.flags)


def key(
    *,
    script: str,
    tapset: str,
    control: str,
    compile_args: list[str],
    flags: list[str],
    stap: str,
    kernel: str,
    build_id: str,
    signer: str = "",
    programs: Sequence[str] = (),
) -> str:
    """Return the SHA-256 (64 hex digits) over everything a module is made from; load parameters are not part of it.

    script, tapset, control: full texts. compile_args, flags: in the order given to `stap`. build_id: the
    kernel's. signer: fingerprint of the certificate the module is signed with, empty if it is not. programs: of the
    hosts', that it probes, each with its path and checksum.
    """
    parts = [script, tapset, control, compile_args, flags, stap, kernel, build_id]
    if signer or programs:
        parts.append(signer)
    if programs:
        parts.append(list(programs))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
