# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of a catalog may print: rows of its tables, and texts that cannot forge one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.fault import (
    Fault,
    as_written,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Script,
    Word,
    calls,
    partners,
    split,
)

PRINTS = (
    *("print", "println", "printd", "printdln", "log", "error", "assert", "ftrace", "printk", "dump_stack"),
    *("print_backtrace", "print_backtrace_fileline", "print_java_backtrace", "print_regs", "print_stack"),
    *("print_syms", "print_ubacktrace", "print_ubacktrace_brief", "print_ubacktrace_fileline"),
    *("print_ustack", "print_usyms"),
)
# Text that no process chooses: names of the kernel's functions and of the script's own probe points.
KERNEL_TEXT = frozenset({"ppfunc", "probefunc", "pp", "pn"})
ESCAPES = frozenset({"fd_row", "fd_str", "text_str", "text_strn", "string_quoted"})
_CONVERSION = re.compile(r"%[-+ 0#]*(\*|[1-9][0-9]*)?(?:\.(\*|[0-9]+)?)?l*([a-zA-Z%])")


def prints(script: Script, *, rows: bool) -> Iterator[Fault]:
    """Return prints of unsafe texts. A histogram (`print(@hist_log(x))`) is numbers, so a text may hold it."""
    for word, arguments in calls(script.words, *PRINTS):
        pictured = len(arguments) == 1 and arguments[0] and arguments[0][0].text.startswith("@hist_")
        if not (pictured and word.text in ("print", "println") and not rows):
            yield Fault(
                word.line, f"prints with {word.text}()", "use printf(), and fd_str() around every text"
            )
    for word, arguments in calls(script.words, "warn"):
        for argument in arguments:
            if not (_is_safe(argument) or _is_safe_sprintf(argument)):
                shown = as_written(argument)
                what = f"warns of {shown} as it is, so that a name could forge a warning"
                yield Fault(word.line, what, f"write fd_str({shown})")


def _is_safe_sprintf(argument: Sequence[Word]) -> bool:
    written = next(calls(argument, "sprintf"), None)
    if written is None or written[0] is not argument[0] or partners(argument)[1] != len(argument) - 1:
        return False
    return not list(_texts_of(*written))


def texts(script: Script) -> Iterator[Fault]:
    for word, arguments in calls(script.words, "printf"):
        yield from _texts_of(word, arguments)


def _texts_of(word: Word, arguments: Sequence[Sequence[Word]]) -> Iterator[Fault]:
    if not arguments or not all(part.kind == "string" for part in arguments[0]):
        yield Fault(word.line, "printf() without a format", "write the format as text")
        return
    kinds: list[str] = []
    for width, digits, kind in _CONVERSION.findall(_literal(arguments[0])):
        if kind != "%":
            kinds += ["*"] * ((width == "*") + (digits == "*")) + [kind]
    if len(kinds) != len(arguments) - 1:
        what = f"printf() has {len(kinds)} places in its format and {len(arguments) - 1} values"
        yield Fault(word.line, what, "give each place its value")
        return
    for kind, argument in zip(kinds, arguments[1:], strict=True):
        line = argument[0].line if argument else word.line
        shown = as_written(argument)
        if kind in ("s", "c") and not _is_safe(argument):
            what = f"prints {shown} as it is, so that a name could forge a row"
            yield Fault(line, what, f"write fd_str({shown})")
        elif kind in ("m", "b"):
            yield Fault(line, f"prints raw memory (%{kind} of {shown})", "use %M, or fd_str()")


def _literal(words: Iterable[Word]) -> str:
    """Return a text as the script spells it, without its quotes; texts beside each other are one."""
    return "".join(word.text[1:-1] for word in words)


def _is_safe(argument: Sequence[Word]) -> bool:
    """Return True for a constant, an escaped text, a name the kernel has given, or a choice or join of these."""
    if argument and argument[0].text == "(" and partners(argument)[0] == len(argument) - 1:
        return _is_safe(argument[1:-1])
    chosen = split(argument, "?")
    if len(chosen) > 1:
        # Each piece ends with what is chosen if the condition before it holds, and the next condition: a ? b : c ? d : e
        sides = [split(piece, ":") for piece in chosen[1:]]
        return all(_is_safe(side) for piece in sides[:-1] for side in piece[:-1]) and all(
            _is_safe(side) for side in sides[-1] or [()]
        )
    joined = split(argument, ".")
    if len(joined) > 1:
        return all(_is_safe(part) for part in joined)
    if not argument:
        return False
    if all(word.kind in ("string", "number") for word in argument):
        return True
    is_call = len(argument) > 2 and argument[1].text == "(" and partners(argument)[1] == len(argument) - 1
    return is_call and argument[0].text in ESCAPES | KERNEL_TEXT


def rows(script: Script, probe: Probe) -> Iterator[Fault]:
    spelled = {_literal([word]) for word in script.words if word.kind == "string"}
    printed: set[str] = set()
    for word, arguments in calls(script.words, "printf"):
        head = arguments[1] if len(arguments) > 1 else ()
        fields = _literal(arguments[0]).split(r"\t") if arguments else []
        if len(head) < 4 or head[0].text != "fd_row" or fields[0] != "%s":
            advice = r'begin it like printf("%s\t%d\n", fd_row("TABLE"), ...)'
            yield Fault(word.line, "prints something that is no row", advice)
            continue
        # The table may be named by a variable: then it is one of those that the script spells out somewhere.
        named = len(head) == 4 and head[2].kind == "string"
        names = [_literal(head[2:3])] if named else [name for name in probe.tables if name in spelled]
        printed.update(names)
        yield from _row(word.line, fields, names, probe)
    for table in probe.tables:
        if table not in printed:
            what = f"nothing prints the table {table} of the manifest"
            yield Fault(1, what, f'print its rows with fd_row("{table}"), or take it out')


def _row(line: int, fields: Sequence[str], names: Sequence[str], probe: Probe) -> Iterator[Fault]:
    """Return faults of a row, one printf(): the marks of fd_row(), then a field for each column of its table."""
    tables = [probe.tables[name] for name in names if name in probe.tables]
    if not tables:
        what = (
            f"prints rows of table {printable(' or '.join(names)) or '?'}, which the manifest does not have"
        )
        yield Fault(line, what, f"it has {', '.join(probe.tables)}")
        return
    shown = " or ".join(table.name for table in tables)
    if not fields[-1].endswith(r"\n") or r"\n" in "".join(fields)[:-2]:
        yield Fault(line, f"a row of {shown} is not one line", r"end its format with \n, and have no other")
    if all(len(fields) - 1 != len(table.columns) for table in tables):
        what = f"prints {plural(len(fields) - 1, 'field')} of table {shown}, which has "
        what += plural(len(tables[0].columns), "column") + " in the manifest"
        columns = ", ".join(column.name for column in tables[0].columns)
        yield Fault(line, what, rf"print a \t and a value for each of {columns}")
