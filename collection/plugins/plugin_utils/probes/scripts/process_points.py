# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs and libraries of a host a script probes: `process("/usr/sbin/nginx")`, `.library("/lib/libc.so.6")`.

A builder compiles for other machines. It can be given what a script names by an absolute path, and nothing that has to
be looked up on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.fault import (
    Fault,
    as_written,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Script,
    Word,
    partners,
    read,
    with_arguments,
)

MAX_PROGRAMS = 8
MAX_SCRIPT = 512 * 1024  # with its arguments in their places
PATH = re.compile(r"(?=.{1,200}\Z)(/(?!\.\.?(/|\Z))[A-Za-z0-9_.+@:~,=-]+)+", re.ASCII)
"""A path that may be asked of a host, and that a host may answer with."""
_NO_PLACE = re.compile(r"/(proc|sys|dev|boot|(usr/)?lib/modules)/")
_ARGUMENT = re.compile(r"[$@]([0-9]+|#)")
_NAME_IT = "name each program by the absolute path that it has on the hosts, in quotes"


def named(text: str, arguments: Sequence[str]) -> list[str]:
    """Return the paths that a script probes, each once; FleetdiagError for what no builder can be given."""
    whole = with_arguments(text, arguments, MAX_SCRIPT) if arguments else text
    if "process" not in (whole or ""):
        return []
    script = read(whole or "")
    wrong = next(faults(script), None)
    if wrong:
        raise FleetdiagError(f"line {wrong.line} of the script {wrong.what}; {wrong.advice}")
    return list(dict.fromkeys(path for _word, path, _fault in _named(script) if path))


def faults(script: Script) -> Iterator[Fault]:
    """Yield what a script asks of programs that no builder can be given."""
    paths: set[str] = set()
    for word, path, fault in _named(script):
        if fault:
            yield fault
        paths.add(path)
        if len(paths - {""}) > MAX_PROGRAMS:
            yield Fault(word.line, f"probes more than {MAX_PROGRAMS} programs and libraries", "take it apart")
            return


def _named(script: Script) -> Iterator[tuple[Word, str, Fault | None]]:
    """Yield (where, path, None) of each program and library, or ("", fault); neither where an argument stands."""
    points = [point for handler in script.handlers for point in handler.points]
    for words in (*points, *script.macros.values()):
        ends = partners(words)
        for place, word in enumerate(words[:-1]):
            library = word.text == "library" and place > 0 and words[place - 1].text == "."
            if word.kind != "name" or words[place + 1].text != "(" or not (library or word.text == "process"):
                continue
            inside = words[place + 2 : ends[place + 1]]
            if len(inside) == 1 and _ARGUMENT.fullmatch(inside[0].text):
                yield word, "", None
                continue
            path = _text(script, inside)
            fault = _fault(word, path, as_written(inside))
            yield word, "" if fault or path is None else path, fault


def _text(script: Script, words: Sequence[Word]) -> str | None:
    """Return the text that these words are, by one of the script's own macros too; None for anything else."""
    if len(words) == 1 and words[0].text in script.macros:
        words = script.macros[words[0].text]
    if words and all(word.kind == "string" for word in words):
        return "".join(word.text[1:-1] for word in words)
    return None


def _fault(word: Word, path: str | None, written: str) -> Fault | None:
    asked = f"{word.text}({written})"[:120]
    if path is None and written.isdigit():
        return Fault(word.line, f"names a process by its number ({asked})", _NAME_IT)
    if path is None:
        return Fault(word.line, f"names a program in a way that is not plain text ({asked})", _NAME_IT)
    if re.search(r"[*?\[\]{}]", path):
        return Fault(word.line, f"asks for programs by a pattern ({asked})", _NAME_IT)
    if not path.startswith("/"):
        return Fault(word.line, f"names a program without its folder ({asked})", _NAME_IT)
    if not PATH.fullmatch(path) or _NO_PLACE.match(path):
        return Fault(word.line, f"names a program by a path that is not taken ({asked})", _NAME_IT)
    return None
