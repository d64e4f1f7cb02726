# SPDX-License-Identifier: GPL-3.0-or-later
"""What SystemTap says of a script that does not compile, in one sentence where the reason is a known one.

Known is so far the commonest: the script wants to know what only the debug symbols of the kernel tell, and they were
not asked for. SystemTap says that in thirty lines, none of which names the remedy.
"""

from __future__ import annotations

import re

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files

_NO_KERNEL_SYMBOLS = re.compile(r"cannot find module (?!/)\S+ debuginfo|Kernel function symbol table missing")
# Each needs the kernel's types, the addresses of its functions, or their variables.
_WANTED = re.compile(
    r"semantic error: (type definition '[^']*' not found in '(?!/)|debuginfo scope not found for module '(?!/)"
    r"|unresolved type|unknown type in dereference"
    # A tapset went on to tracepoints where it found no function to probe, and these have no returns.
    rf"|{kernel_files.NO_RETURNS.pattern})"
)
# Any family of a tapset may stand on functions of the kernel; those of programs do not.
_POINT = re.compile(r"while resolving probe point: identifier '(?!process')\w+'")
_NOTHING = re.compile(r"semantic error: no match(?! \(similar tracepoints)")
# What a program's own file does not have, and what it has not under the name that a script says.
_PROGRAM_SCOPE = re.compile(r"debuginfo scope not found for module '(/[^']*)'")
_PROGRAM_LINES = re.compile(
    r"source:.*process\s*\(\s*\"(/[^\"\n]*)\".*\.(?:statement|label|inline|callees?)\b"
)
_FIRST_POINT = re.compile(r"while resolving probe point: identifier '(\w+)'")
_NO_MATCH = re.compile(r"semantic error: no match(?: \((.*)\))?")
_SOURCE = re.compile(r"^ *source:[ \t]*(\S.*)$", re.MULTILINE)
_MAX_SOURCE = 100


# What only the distribution's debuginfo has: (what SystemTap says, or how the script asks; what that is).
_BEYOND_BTF = (
    (
        re.compile(r"unable to find local '([^']*)'"),
        "${0} is no parameter of that function, or not certain in this kernel",
    ),
    (
        re.compile(r"unable to find (?:global|member) '([^']*)'"),
        "the kernel's BTF has no variable or member {0}",
    ),
    (
        re.compile(r"debuginfo scope not found for module '([^']*)'"),
        "the file of module {0} is not on the builder, or has no types",
    ),
    (re.compile(r'source:.*\.(?:function|statement)\s*\(\s*"[^"\n]*@'), "it names a source file or line"),
    (re.compile(r"source:.*\.(statement|label|inline|callees?)\b"), "it asks for .{0}"),
    (
        re.compile(r"semantic error: no match"),
        "this kernel has no function of that name, or only inside of others (inlined) or as a changed copy",
    ),
)


NO_PROGRAM = "cannot be probed"
# What makes no difference to which builder is asked: the script, or what the kernel has.
_OF_THE_SCRIPT = ("parse error:", "semantic error:", "no live probe point", NO_PROGRAM)


def of_script(said: str) -> bool:
    """Return whether another builder would say the same: the fault lies in the script or the kernel."""
    return any(words in said for words in _OF_THE_SCRIPT)


def needs_symbols(said: str) -> bool:
    """Return whether SystemTap's message says that the kernel's headers alone do not do."""
    if not _NO_KERNEL_SYMBOLS.search(said):
        return False
    return bool(_WANTED.search(said) or (_POINT.search(said) and _NOTHING.search(said)))


def wants_more(said: str) -> bool:
    """Return whether a script may do with more than the kernel's headers: it failed, or has nothing left that is live.

    Points that are optional vanish without a word where headers do not do.
    """
    return not of_program(said) and (needs_symbols(said) or "no live probe point" in said)


def of_program(said: str) -> str:
    """Return in one sentence what a script asks that the file of a probed program does not tell, or ""."""
    if found := _PROGRAM_SCOPE.search(said) or _PROGRAM_LINES.search(said):
        return (
            f"it asks what only the debuginfo of {found[1]} has{_where(said)}; the program itself tells its functions by"
            " name and its marks with $arg1, $arg2, ..., and no parameters, variables, source files or lines: take these"
            " out, or give the builder a debuginfod server that has that debuginfo (install_debuginfod_urls)"
        )
    point, lacks = _FIRST_POINT.search(said), _NO_MATCH.search(said)
    if not (point and point[1] == "process" and lacks):
        return ""
    near = f": {lacks[1]}" if lacks[1] else ""
    return (
        f"the program has no such function in its table of symbols, or no such mark{_where(said)}{near}; see what it has"
        " with `stap -L`, or with `nm -D`, on a host"
    )


def beyond_btf(said: str) -> str:
    """Return in one sentence what a script asks that a kernel does not tell of itself, or "" for another fault.

    said: SystemTap's message when it had debuginfo that was made of the kernel's BTF.
    """
    for pattern, reason in _BEYOND_BTF:
        if found := pattern.search(said):
            return (
                f"what it asks is not in what the kernel tells of itself (BTF){_where(said)}:"
                f" {reason.format(*found.groups())}; only the distribution's debuginfo has local variables, source"
                " files, lines, labels and inlined calls: ask for it as docs/kernel_info.md says"
            )
    return ""


def _where(said: str) -> str:
    found = _SOURCE.search(said)
    return f" ({' '.join(found[1].split())[:_MAX_SOURCE]})" if found else ""


def explain(said: str, *, debuginfo: bool, unmodified: bool) -> str:
    """Return one sentence if the script needs debug symbols that were not asked for, else "".

    said: SystemTap's message. debuginfo: it was built with them. unmodified: it is an example or a bare script.
    """
    if debuginfo or not needs_symbols(said):
        return ""
    remedy = (
        "sweep again with sweep_examples_debuginfo=true"
        if unmodified
        else "say requires: {debuginfo: true} in its manifest"
    )
    return (
        f"needs debuginfo: what it probes is known only from the kernel's debug symbols{_where(said)}; {remedy},"
        " which gives a builder some 5 GB for each kernel"
    )
