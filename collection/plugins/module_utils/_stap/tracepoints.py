# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a kernel's headers SystemTap has to compile to find the tracepoints of a script.

For the first `kernel.trace("...")` of a kernel SystemTap compiles every header that may declare tracepoints, some 350,
which takes most of the time of a first script. A header in which none of the names stands cannot declare any of them:
such headers are left out of what SystemTap's `make` is asked for, so that it takes them for headers without tracepoints.

SystemTap remembers that in its cache (an empty `tracequery_*.o`), where it would be wrong for the next script: whoever
compiles takes these away (`forget_empty`), and lets nobody else compile for the same kernel meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
from collections.abc import Iterable

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.texts import read_text

# A literal, or what the translator puts in its place: an argument, a macro, a condition.
ASKED = re.compile(r'\.\s*trace\s*\(\s*(?:"([^"\n]*)"|[@%/#]|\$[0-9#])')
NAME = re.compile(r"\w+$")
LIKELY = re.compile("trace|event")
PASTED_BEFORE, PASTED_AFTER = re.compile(r"(\w+)\s*##"), re.compile(r"##\s*(\w+)")

# SystemTap calls `make` through env(1), with words that say what for. Each query is a file that includes its header.
ENV = """\
#!/bin/sh
for word; do case $word in M=*/tracequery_kmod_*) folder=${word#M=} ;; esac; done
if [ -n "${folder:-}" ]; then
    (cd "$folder" && grep -lxFf "${0%/*}/headers" -- *.c | sed 's/\\(.*\\)\\.c$/obj-m += \\1.o/' >wanted \
        && sed -i '/^obj-m += /d; /^obj-m :=/r wanted' Makefile)
    [ -s "$folder/wanted" ] || exit 0
fi
exec /usr/bin/env "$@"
"""


def names(texts: Iterable[str]) -> set[str] | None:
    """Return names of the tracepoints that scripts may ask for; None if one has no name there, or one with wildcards."""
    found = {name.rpartition(":")[2] for text in texts for name in ASKED.findall(text)}
    return None if any(not NAME.match(name) for name in found) else found


def installed_tapset(stap: str) -> list[str]:
    """Return the texts of the tapset that comes with `stap` (its path), and of what is installed beside it."""
    shares = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    shares.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(stap))), "share"))
    paths: set[str] = set()
    for share in shares:
        paths.update(glob.glob(os.path.join(share, "systemtap", "tapset", "**", "*.stp*"), recursive=True))
    return [read_text(path) for path in sorted(paths)]


def headers(wanted: Iterable[str], kernel: str, modules: str = "/lib/modules") -> list[str]:
    """Return the headers of a kernel that may declare one of the `wanted` names, as SystemTap includes them."""
    # DECLARE_TRACE adds an end to names, in newer kernels by itself.
    plain = {re.sub("_tp$", "", name) for name in wanted}
    literal = plain | {name + "_tp" for name in plain}
    return sorted(
        included
        for included, (words, before, after) in _declaring(kernel, modules).items()
        if not literal.isdisjoint(words)
        or any(name.startswith(before) or name.endswith(after) for name in wanted)
    )


@functools.lru_cache(maxsize=1)
def _declaring(
    kernel: str, modules: str
) -> dict[str, tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]]:
    """Return {header: its words, and what macros put before and after names (`xprt_##name`)}.

    Of headers that may declare tracepoints; read once for all scripts of a kernel.
    """
    found: dict[str, tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]] = {}
    for tree in ("build", "source"):
        top = os.path.join(modules, kernel, tree)
        for folder, _folders, files in os.walk(top):
            for file in files:
                path = os.path.join(folder, file)
                included = path.rpartition("include/")[2]
                # every query includes linux/tracepoint.h
                if (
                    file.endswith(".h")
                    and LIKELY.search(path[len(top) :])
                    and not included.startswith("linux/")
                ):
                    text = read_text(path)
                    if "TRACE" in text and included not in found:
                        parts = (pattern.findall(text) for pattern in (PASTED_BEFORE, PASTED_AFTER))
                        before, after = (tuple({part for part in side if len(part) > 2}) for side in parts)
                        found[included] = (frozenset(re.findall(r"\w+", text)), before, after)
    return found


def put_before_env(folder: str, included: Iterable[str]) -> str:
    """Write a program `env` for the PATH of stap that has only these headers compiled; return its path."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, "headers"), "w") as stream:
        stream.writelines(f"#include <{header}>\n" for header in included)
    path = os.path.join(folder, "env")
    with open(path, "w") as stream:
        stream.write(ENV)
    os.chmod(path, 0o700)
    return path


def forget_empty(cache: str) -> None:
    """Take from SystemTap's `cache` what says that headers have no tracepoints.

    They were left out, or a compilation was killed before it had come to them; those that do not compile are few.
    """
    for path in glob.glob(os.path.join(cache, "*", "tracequery_*.o")):
        with contextlib.suppress(OSError):
            if os.path.getsize(path) == 0:
                os.remove(path)
