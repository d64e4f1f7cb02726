# SPDX-License-Identifier: GPL-3.0-or-later
"""What SystemTap says on stderr about lost data. Its exit status does not: 0 is not "complete"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

MAX_WARNINGS = 20
MAX_WARNING_LENGTH = 300

# The texts are those of SystemTap 4.8 to 5.6.
_COUNTS = re.compile(r"Number of errors: (\d{1,18}), skipped probes: (\d{1,18})")
_TRANSPORT = re.compile(r"There were (\d{1,18}) transport failures")
_LOST = re.compile(r"There were (\d{1,18}) lost messages, (\d{1,18}) lost bytes")
_OVERLOAD = re.compile(r"probe overhead .*exceeded threshold")
# Points that could not be placed: the kernel refused them, or the program is another build than the one compiled for.
_DEAD = re.compile(r"registration error .*|Build-id mismatch|u\*probe failed")
_SKIPPED_TOO_MANY = re.compile(r"Skipped too many probes")
_PENDING = re.compile(r"too many pending \(")
_WARNING = re.compile(r"(?:WARNING|ERROR): *(.*)")
# staprun says this of every ending by an error, after the error itself.
_EMPTY_TALK = re.compile(r"exited with status: \d+|Number of errors: 0, skipped probes: 0")


@dataclass(frozen=True)
class Losses:
    """What SystemTap itself said on stderr about lost data. Zero, False and empty mean nothing was said.

    dead_probes: probe points that could not be registered; the session went on without them.
    """

    errors: int = 0
    skipped: int = 0
    transport_failures: int = 0
    lost_messages: int = 0
    lost_bytes: int = 0
    overload: bool = False
    dead_probes: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def lossy(self) -> bool:
        """Return True if figures of this session may be too low."""
        counts = (self.errors, self.skipped, self.transport_failures, self.lost_messages, self.lost_bytes)
        return self.overload or self.dead_probes > 0 or any(counts)


def read_losses(err_text: str) -> Losses:
    """Return the figures in the text of one session's stderr. Never raises.

    errors: the module's own count, or the ERROR lines if there are more. warnings: the first MAX_WARNINGS
    different WARNING and ERROR lines, cut and safe to show.
    """
    too_many = False
    errors = skipped = transport = messages = lost_bytes = dead = error_lines = 0
    overload = False
    warnings: dict[str, None] = {}
    for line in err_text.split("\n"):
        if counts := _COUNTS.search(line):
            errors += int(counts[1])
            skipped += int(counts[2])
        elif failures := _TRANSPORT.search(line):
            transport += int(failures[1])
        elif lost := _LOST.search(line):
            messages += int(lost[1])
            lost_bytes += int(lost[2])
        elif _OVERLOAD.search(line):
            overload = True
        elif _DEAD.search(line):
            dead += 1
        elif _PENDING.search(line):
            messages += 1
        elif _SKIPPED_TOO_MANY.search(line):
            too_many = True
        said = _WARNING.search(line)
        if said is None or _EMPTY_TALK.search(line):
            continue
        error_lines += line[: said.start(1)].rstrip().endswith("ERROR:")
        if len(warnings) < MAX_WARNINGS:
            warnings[printable(said[0][:MAX_WARNING_LENGTH])] = None
    return Losses(
        errors=max(errors, error_lines),
        skipped=skipped or int(too_many),  # the count, if it is told, holds it
        transport_failures=transport,
        lost_messages=messages,
        lost_bytes=lost_bytes,
        overload=overload,
        dead_probes=dead,
        warnings=tuple(warnings),
    )
