# SPDX-License-Identifier: GPL-3.0-or-later
"""What SystemTap says of a script that does not compile, in one sentence where the reason is a known one.

Known is so far the commonest: the script wants to know what only the debug symbols of the kernel tell, and they were
not asked for. SystemTap says that in thirty lines, none of which names the remedy.
"""

from __future__ import annotations

import re

_NO_KERNEL_SYMBOLS = re.compile(r"cannot find module (?!/)\S+ debuginfo|Kernel function symbol table missing")
# Each needs the kernel's types, the addresses of its functions, or their variables.
_WANTED = re.compile(
    r"semantic error: (type definition '[^']*' not found in '(?!/)|debuginfo scope not found for module '(?!/)"
    r"|unresolved type|unknown type in dereference)"
)
_POINT = re.compile(r"while resolving probe point: identifier '(kernel|module|kprobe|vfs)'")
_NOTHING = re.compile(r"semantic error: no match(?! \(similar tracepoints)")
_SOURCE = re.compile(r"^ *source:[ \t]*(\S.*)$", re.MULTILINE)
_MAX_SOURCE = 100


# What makes no difference to which builder is asked: the script, or what the kernel has.
_OF_THE_SCRIPT = ("parse error:", "semantic error:", "no live probe point")


def of_script(said: str) -> bool:
    """True if another builder would say the same: the fault lies in the script or the kernel."""
    return any(words in said for words in _OF_THE_SCRIPT)


def explain(said: str, *, debuginfo: bool, unmodified: bool) -> str:
    """One sentence if the script needs debug symbols that were not asked for, else empty.

    said: SystemTap's message. debuginfo: it was built with them. unmodified: it is an example or a bare script.
    """
    if debuginfo or not _NO_KERNEL_SYMBOLS.search(said):
        return ""
    if not (_WANTED.search(said) or (_POINT.search(said) and _NOTHING.search(said))):
        return ""
    found = _SOURCE.search(said)
    source = " ".join(found[1].split())[:_MAX_SOURCE] if found else ""
    where = f" ({source})" if source else ""
    remedy = (
        "sweep again with sweep_examples_debuginfo=true"
        if unmodified
        else "say requires: {debuginfo: true} in its manifest"
    )
    return (
        f"needs debuginfo: what it probes is known only from the kernel's debug symbols{where}; {remedy},"
        " which gives a builder some 5 GB for each kernel"
    )
