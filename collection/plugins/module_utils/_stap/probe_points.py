# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a script, read from SystemTap's C source."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Iterator

# A probe point in SystemTap's C source: what it was resolved to, and file:line:column.
POINT = re.compile(r'STAP_PROBE_INIT\(\d+, &\w+, "((?:[^"\\]|\\.)*)", "(?:[^"\\]|\\.)*", "((?:[^"\\]|\\.)*)"')
FUNCTION = re.compile(r'(kernel|module\(\\"[^"\\]*\\"\))\.function\(\\"([\w.]+)(?:@|\\")')
# How a module asks stapio to run a command, or anything else that is not the runtime's own business; and what can do
# without it: see the functions of SystemTap's tapset that need guru mode.
COMMAND = re.compile(r"STP_SYSTEM|_stp_ctl_send\w*|\bcall_usermodehelper\w*|\bpanic *\(")
# timer.profile samples what the processors do; every other timer only tells the time.
ALWAYS_THERE = re.compile(r"(begin|end|error|never|procfs)\b|timer\.(?!profile\b)")


def functions(temporary: str, name: str) -> set[tuple[str, str]]:
    """Return ("kernel" or one of its modules, function) of all that a module probes, from its C source."""
    return {point for text in c_sources(temporary, name) for point in FUNCTION.findall(text)}


def forbidden(temporary: str, name: str, file: str) -> str:
    """Return what is wrong with a module whose C source has a command run on the host, or cannot be read; else empty.

    The policy and control.stp keep scripts from it. This looks at what has become of them, whatever they were.
    """
    found = list(c_sources(temporary, name))
    if not found:
        return (
            f"{file}: SystemTap left no C source to look through on the builder; use another SystemTap there"
        )
    said = next((match.group() for text in found for match in [COMMAND.search(text)] if match), "")
    if not said:
        return ""
    return f"{file}: its module would run a command on the probed host ({said}); a probe only watches: take it out"


def c_sources(temporary: str, name: str) -> Iterator[str]:
    for path in glob.glob(os.path.join(glob.escape(temporary), "stap*", name + "_src.c")):
        with open(path, errors="replace") as stream:
            yield stream.read()


def lifeless(temporary: str, name: str, file: str) -> str:
    """Return what is wrong with a script that has no live probe point, empty if it has one or the source cannot be read.

    In SystemTap's list the points of the script come first, then those of control.stp (given with -E, so that its file
    is called <input>), then helpers of the tapset.
    """
    points: list[tuple[str, str]] = []
    for text in c_sources(temporary, name):
        points += POINT.findall(text)
    own = [
        point for point, place in itertools.takewhile(lambda pair: not pair[1].startswith("<input"), points)
    ]
    if not points or any(not ALWAYS_THERE.match(point) for point in own):
        return ""
    left = ", ".join(dict.fromkeys(point.replace('\\"', '"') for point in own))
    return (
        "{}: no live probe point: of all that the script probes {} is left for this kernel, so it would run and"
        " yield nothing; points that are optional (?) may need debuginfo (requires.debuginfo in a manifest,"
        " sweep_examples_debuginfo for an example), or this kernel does not have them"
    ).format(file, "only " + left if left else "nothing")
