# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script may do on a probed host, read from its text: nothing here needs SystemTap.

Levels. `script`: any script that somebody wants to run as it is, SystemTap's own examples too: no C code, no
command on the host, nothing that changes the kernel. `probe`: a folder of a catalog, whose rows a report trusts;
it also keeps to the protocol: control.stp alone ends the session, samples count only inside the window, every
array has a size, and every text it prints is escaped, so that no name can forge a row. `tapset`: what probes are
made of, where C is possible.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import first_line
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    ASSIGNS,
    Script,
    Word,
    calls,
    partners,
    read,
    split,
    too_deep,
    with_arguments,
)

Level = Literal["script", "probe", "tapset"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = (
    64  # of brackets: people write less than twenty, and what looks into each of them takes time for each
)

_SYSTEM = "system() runs a command on the host"
# Functions of SystemTap's library that need guru mode, which is never given.
_ON_THE_HOST = {
    "panic": "stops the kernel",
    "raise": "sends signals to processes",
    "mdelay": "holds the kernel up",
    "udelay": "holds the kernel up",
}
_SETTERS = re.compile(r"set_(kernel|user)_\w+")
_ENDS = {"exit": "exit()", "abort": "abort()"}
_PRINTS = (
    *("print", "println", "printd", "printdln", "log", "error", "assert", "ftrace", "printk", "dump_stack"),
    *("print_backtrace", "print_backtrace_fileline", "print_java_backtrace", "print_regs", "print_stack"),
    *("print_syms", "print_ubacktrace", "print_ubacktrace_brief", "print_ubacktrace_fileline"),
    *("print_ustack", "print_usyms"),
)
# Text that no process chooses: names of the kernel's functions and of the script's own probe points.
_KERNEL_TEXT = frozenset({"ppfunc", "probefunc", "pp", "pn"})
_ESCAPES = frozenset({"fd_row", "fd_str", "text_str", "text_strn", "string_quoted"})
_CHOICES = frozenset({"%(", "%?", "%:", "%)"})
# They mean what SystemTap's library means by them, and nothing else stands between their names and brackets.
_SPEAKING = frozenset({"printf", "warn", *_PRINTS, *_ENDS})
_INTERNAL = frozenset({"fd_nonce", "fd_set_nonce", "fd_set_window", "fd_open_window", "fd_end"})
_KEYWORDS = frozenset(
    {"next", "break", "continue", "return", "else", "if", "for", "foreach", "while", "delete", "in"}
)
_OWN = re.compile(r"@?fd[_.]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_CONVERSION = re.compile(r"%[-+ 0#]*(\*|[1-9][0-9]*)?(?:\.(\*|[0-9]+)?)?l*([a-zA-Z%])")
# Probe points that are asked for the contents of a file in /proc; the last two are names of SystemTap's library.
_ANSWERS = re.compile(r"procfs.*\.read\b|(prometheus|json_data)$")
_TAPSET_PARAMETER = "interval_s"  # a global of the tapset: a probe may declare it for another default
_TODO = re.compile(r"\bTODO\b")


class Fault(NamedTuple):
    """One thing a script may not do: the line, what is wrong, what to do instead."""

    line: int
    what: str
    advice: str

    def sentence(self, path: Path) -> str:
        return f"{path}:{self.line}: {self.what}; {self.advice}"


def enforce(path: Path, level: Level, probe: Probe | None = None) -> None:
    """Raise FleetdiagError, naming file and line, for a script that may not run. probe: see `faults`."""
    found = faults(text_of(path), level, probe)
    if found:
        more = f" (and {len(found) - 1} more: fleetdiag probes check {path.parent})" if found[1:] else ""
        raise FleetdiagError(f"{found[0].sentence(path)}{more}")


def text_of(path: Path) -> str:
    """Return the script's text. FleetdiagError if it cannot be read, is no text, or is too long."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FleetdiagError(f"{path}: {error.strerror}; make it readable") from error
    if len(raw) > MAX_BYTES:
        raise FleetdiagError(f"{path}:1: the script is larger than {MAX_BYTES} bytes; shorten it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FleetdiagError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FleetdiagError(f"{path}:{line}: holds a zero byte; take it out")
    return text


def faults(text: str, level: Level, probe: Probe | None = None, arguments: Sequence[str] = ()) -> list[Fault]:
    """Return all that is wrong with a script, by line.

    probe: its manifest, for what it says of tables and parameters; without one that is not checked.
    arguments: those that `stap` gets with it, to check what they make of it.
    """
    whole = with_arguments(text, arguments, MAX_BYTES) if arguments else text
    if whole is None:
        return [Fault(1, "gets too long with its arguments", "give shorter ones, or fewer")]
    script = read(whole)
    found = [*_broken(script), *_system(script)]
    deep = too_deep(script.words, MAX_DEPTH)
    if deep is not None:
        what = f"more than {MAX_DEPTH} brackets are open, or closed, at once"
        return sorted({*found, Fault(deep, what, "take it apart into functions")})
    found += [*_open(script), *_dangerous(script), *_writes(script)]
    if level != "tapset":
        found += _c_code(script)
    if level == "script":
        found += [Fault(1, what, advice) for what, advice in first_line.options_of(text).faults]
    else:
        for rule in (_ending, _wildcards, _handlers, _texts):
            found += rule(script)
    if level == "probe":
        for rule in (_own_names, _definitions, _macros, _speaking, _arrays):
            found += rule(script)
        found += _prints(script, rows=probe is not None and probe.form.records)
        if probe is not None:
            found += _arguments(script, probe)
            found += _settings(script, probe)
        if probe is not None and probe.form.records:
            found += _rows(script, probe)
    return sorted(set(found))


def unfinished(text: str) -> list[Fault]:
    """Return the comments that say TODO."""
    return [
        Fault(
            line + comment.count("\n", 0, place.start()),
            "TODO is still to do",
            "do it and remove the comment",
        )
        for line, comment in read(text).comments
        for place in _TODO.finditer(comment)
    ]


# --- both levels


def _broken(script: Script) -> Iterator[Fault]:
    if script.unclosed is not None:
        line, what = script.unclosed
        yield Fault(line, f"the {what} that begins here does not end", "close it")


def _open(script: Script) -> Iterator[Fault]:
    words = script.words
    if script.unclosed or any(word.choice for word in words):
        return  # the sides of a conditional may open the same brace twice
    for word, end in zip(words, partners(words), strict=True):
        if end == len(words):
            yield Fault(word.line, f"the {word.text} on this line does not close", "close it")
            return


def _system(script: Script) -> Iterator[Fault]:
    for word, followed in _uses(script, {"system"}):
        if followed:
            yield Fault(word.line, _SYSTEM, "a probe only watches: take it out")


def _uses(script: Script, names: Container[str]) -> Iterator[tuple[Word, str]]:
    """Return (word, what follows) of each of these names: a `bracket`; `something` that may turn out to be one, as it
    is a macro, a conditional, an argument or whatever a macro puts behind what it is given; else nothing."""
    words = script.words
    in_macro = [False]
    for place, word in enumerate(words):
        before = words[place - 1].text if place else ""
        if word.kind == "sign" and word.text in ("(", "[", "{"):
            in_macro.append(in_macro[-1] or before in script.macros or before in _CHOICES)
        elif word.kind == "sign" and word.text in (")", "]", "}"):
            del in_macro[max(len(in_macro) - 1, 1) :]
        if word.kind != "name" or word.text not in names or before == "->":
            continue
        after = words[place + 1].text if place + 1 < len(words) else "%)"
        if after == "(":
            yield word, "bracket"
        else:
            yield word, "something" if in_macro[-1] or after in _CHOICES or after[0] in "@$" else ""


def _dangerous(script: Script) -> Iterator[Fault]:
    words = script.words
    for place, word in enumerate(words):
        if word.kind != "name":
            continue
        # A macro or a conditional may stand between a name and its bracket.
        called = word.choice or (place + 1 < len(words) and words[place + 1].text == "(")
        why = _ON_THE_HOST.get(word.text)
        if why is None and _SETTERS.fullmatch(word.text):
            why = "writes into memory"
        own = word.text in script.functions  # takes the place of the one in SystemTap's library
        if why is not None and called and not own:
            yield Fault(word.line, f"{word.text}() {why}", "a probe only watches: take it out")


def _c_code(script: Script) -> Iterator[Fault]:
    for word in script.words:
        if word.kind == "embedded":
            yield Fault(word.line, "holds C code (%{ %})", "write it in SystemTap's own language")


def _writes(script: Script) -> Iterator[Fault]:
    """Return assignments to what belongs to the kernel: `$variable`, or anything reached with an arrow."""
    for body, answers in _bodies(script):
        for line, target in _changed(body):
            kernel = target[0].text.startswith("$") or any(part.text == "->" for part in _outside(target))
            shown = _shown(target)
            if kernel and not (answers and shown == "$value"):
                yield Fault(line, f"writes into the kernel ({shown})", "a probe only watches: take it out")


def _bodies(script: Script) -> Iterator[tuple[Sequence[Word], bool]]:
    """Return (body, whether it may answer through $value: it is asked for the contents of a file in /proc)."""
    for handler in script.handlers:
        names = handler.names
        yield handler.body, all(_ANSWERS.match(name) for name in names)
    for body in (*script.functions.values(), *script.macros.values()):
        yield body, False


def _changed(words: Sequence[Word]) -> Iterator[tuple[int, Sequence[Word]]]:
    """Return (line, what is changed) of every assignment: `$file->f_pos`, `@cast(p, "x")->y`, `name[1]`."""
    ends: list[int] | None = None
    for place, word in enumerate(words):
        if word.kind == "sign" and word.text in ASSIGNS:
            ends = partners(words) if ends is None else ends
            target = _target_before(words, ends, place)
            if not target and word.text in ("++", "--"):
                target = _target_after(words, place)
            if target:
                yield word.line, target


def _target_before(words: Sequence[Word], ends: Sequence[int], end: int) -> Sequence[Word]:
    at = end
    while True:
        while at > 0 and words[at - 1].text in (")", "]") and words[at - 1].kind == "sign":
            at = max(ends[at - 1], 0)
        if at < 1 or words[at - 1].kind != "name" or words[at - 1].text in _KEYWORDS:
            return ()
        at -= 1
        if at < 1 or words[at - 1].text != "->":
            return words[at:end]
        at -= 1


def _outside(target: Sequence[Word]) -> Iterator[Word]:
    """Return the words that stand in no bracket: the index of a script's own array may be reached with an arrow."""
    depth = 0
    for word in target:
        depth -= word.text in (")", "]")
        if depth == 0:
            yield word
        depth += word.text in ("(", "[")


def _target_after(words: Sequence[Word], place: int) -> Sequence[Word]:
    at = place + 1
    while at < len(words) and (words[at].kind == "name" or words[at].text == "->"):
        at += 1
    return words[place + 1 : at]


# --- probes of a catalog


def _ending(script: Script) -> Iterator[Fault]:
    advice = "take it out: the session ends with the window"
    for name, shown in _ENDS.items():
        for word, _unused in calls(script.words, name):
            yield Fault(word.line, f"{shown} ends the session", advice)
    for handler in script.handlers:
        for point, name in zip(handler.points, handler.names, strict=True):
            if name == "oneshot":
                yield Fault(point[0].line, "oneshot ends the session", advice)


def _wildcards(script: Script) -> Iterator[Fault]:
    advice = "name what is to be watched"
    for handler in script.handlers:
        for point, name in zip(handler.points, handler.names, strict=True):
            if name.startswith("perf."):
                yield Fault(point[0].line, "probes from a non-maskable interrupt", "use timer.profile")
            if ".absolute" in name:
                yield Fault(point[0].line, "probes an address", "name a function")
            for pattern in _patterns(point):
                where = f"{point[0].text}.{pattern[0]}({printable(pattern[1])})"
                yield Fault(point[0].line, f"{where} probes everything there is", advice)


def _patterns(point: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Return (what, pattern) where a point of the kernel, of all modules or of a program takes whatever there is."""
    anywhere = point[0].text in ("kernel", "process") or (
        point[0].text == "module" and len(point) > 2 and _is_everything(point[2].text)
    )
    for word, pattern in zip(point, point[2:], strict=False):
        takes = word.text in ("function", "trace", "statement", "plt", "mark")
        if anywhere and takes and _is_everything(pattern.text):
            yield word.text, pattern.text


def _is_everything(pattern: str) -> bool:
    name, _unused, file = pattern.strip('"').partition("@")
    return "*" in name and set(name) <= set("*?:") and set(file) <= set("*?/")


def _own_names(script: Script) -> Iterator[Fault]:
    advice = "choose another name: these are fleetdiag's own"
    declared = [(name, script.lines[name]) for name in (*script.functions, *script.macros)]
    declared += [(handler.alias, handler.line) for handler in script.handlers]
    declared += [(variable.name, variable.line) for variable in script.globals]
    for name, line in declared:
        if _OWN.match(name):
            yield Fault(line, f"defines {printable(name)}", advice)
    for body in script.bodies:
        for word in body:
            if word.text in _INTERNAL and word.kind == "name":
                yield Fault(word.line, f"uses {word.text}", "leave it to fleetdiag")
        for line, target in _changed(body):
            if target[0].text.startswith("fd_") and target[-1].text != ")":
                yield Fault(line, f"changes {target[0].text}", "it is fleetdiag's own: only read it")


def _definitions(script: Script) -> Iterator[Fault]:
    """Return where a probe defines a function that makes a text safe, which is SystemTap's."""
    for before, word, name in zip([None, *script.words], script.words, script.words[1:], strict=False):
        if word.text != "function" or word.kind != "name" or (before is not None and before.text == "."):
            continue
        if not _NAME.fullmatch(name.text):
            yield Fault(word.line, "defines a function without saying its name", "write the name behind it")
        elif name.text in _ESCAPES | _KERNEL_TEXT | _SPEAKING:
            what = f"defines {name.text}, a function of SystemTap's own"
            yield Fault(word.line, what, "choose another name")


def _macros(script: Script) -> Iterator[Fault]:
    """Return macros that close what stands around them: what is read as it stands must be what runs."""
    for name, body in script.macros.items():
        line, body = script.lines[name], (Word("", "sign", 0), *body)
        if any(
            word.text in ("probe", "function", "global") and word.kind == "name" and before.text != "."
            for before, word in pairwise(body)
        ):
            what = f"the macro {printable(name)} holds a declaration"
            yield Fault(line, what, "write it out: macros are for what runs")
        ends = partners(body)
        pairs = {"(": ")", "[": "]", "{": "}"}
        for place, word in enumerate(body):
            if word.kind == "sign" and word.text in (*pairs, *pairs.values()):
                partner = body[ends[place]].text if 0 <= ends[place] < len(body) else ""
                if pairs.get(word.text, partner) != partner or not partner:
                    what = f"the macro {printable(name)} holds half a pair of brackets"
                    yield Fault(word.line, what, "write both into it, or none")
                    break


def _speaking(script: Script) -> Iterator[Fault]:
    for word, followed in _uses(script, _SPEAKING):
        if followed == "something" or (followed != "bracket" and word.text.startswith("print")):
            what = f"uses {word.text} without its bracket"
            yield Fault(word.line, what, "write the bracket behind it, or choose another name")


def _arrays(script: Script) -> Iterator[Fault]:
    indexed = {
        body[place].text for body in script.bodies for place in range(len(body)) if _is_indexed(body, place)
    }
    for declared in script.globals:
        if not declared.sized and declared.name in indexed:
            what = f"the array {printable(declared.name)} has no size"
            yield Fault(declared.line, what, f"say how many entries it may have: {declared.name}[1000]")


def _is_indexed(words: Sequence[Word], place: int) -> bool:
    if words[place].kind != "name" or (place and words[place - 1].text in ("->", ".")):
        return False
    indexed = place + 1 < len(words) and words[place + 1].text == "["
    return indexed or (place > 0 and words[place - 1].text == "in")


def _handlers(script: Script) -> Iterator[Fault]:
    """Return handlers that neither ask whether the window is open nor stand on one that has asked."""
    asking = _asking(script)
    aliases = {handler.alias for handler in script.handlers if handler.alias and _asks(handler.body, asking)}
    for handler in script.handlers:
        if not handler.body or _asks(handler.body, asking):
            continue
        prints = any(word.text in ("printf", *_PRINTS) for word in handler.body)
        for point in handler.names:
            if re.match(r"(begin|init)\b", point):
                if prints:
                    what = f"probe {printable(point)} prints before the window"
                    yield Fault(handler.line, what, "print in a handler that asks fd_sampling()")
            elif not re.match(r"(end|error|never)\b|fd\.", point) and point.rstrip("?!") not in aliases:
                what = (
                    f"probe {printable(handler.alias or point)[:60]} does not ask whether the window is open"
                )
                yield Fault(handler.line, what, "begin it with: if (!fd_sampling()) next")
                break


def _asking(script: Script) -> set[str]:
    """Return the functions and macros that ask, themselves or through another."""
    users: dict[str, set[str]] = {}
    for name, body in (*script.functions.items(), *script.macros.items()):
        for word in body:
            users.setdefault(word.text, set()).add(name)
    asking, new = {"fd_sampling"}, ["fd_sampling"]
    while new:
        more = users.get(new.pop(), set()) - asking
        asking |= more
        new += more
    return asking


def _asks(body: Iterable[Word], asking: set[str]) -> bool:
    return any(word.text in asking for word in body)


def _prints(script: Script, *, rows: bool) -> Iterator[Fault]:
    """Return prints of unsafe texts. A histogram (`print(@hist_log(x))`) is numbers, so a text may hold it."""
    for word, arguments in calls(script.words, *_PRINTS):
        pictured = len(arguments) == 1 and arguments[0] and arguments[0][0].text.startswith("@hist_")
        if not (pictured and word.text in ("print", "println") and not rows):
            yield Fault(
                word.line, f"prints with {word.text}()", "use printf(), and fd_str() around every text"
            )
    for word, arguments in calls(script.words, "warn"):
        for argument in arguments:
            if not (_is_safe(argument) or _is_safe_sprintf(argument)):
                shown = _shown(argument)
                what = f"warns of {shown} as it is, so that a name could forge a warning"
                yield Fault(word.line, what, f"write fd_str({shown})")


def _is_safe_sprintf(argument: Sequence[Word]) -> bool:
    written = next(calls(argument, "sprintf"), None)
    if written is None or written[0] is not argument[0] or partners(argument)[1] != len(argument) - 1:
        return False
    return not list(_texts_of(*written))


def _texts(script: Script) -> Iterator[Fault]:
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
        shown = _shown(argument)
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
    return is_call and argument[0].text in _ESCAPES | _KERNEL_TEXT


def _rows(script: Script, probe: Probe) -> Iterator[Fault]:
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
        what = f"prints {_plural(len(fields) - 1, 'field')} of table {shown}, which has "
        what += _plural(len(tables[0].columns), "column") + " in the manifest"
        columns = ", ".join(column.name for column in tables[0].columns)
        yield Fault(line, what, rf"print a \t and a value for each of {columns}")


def _arguments(script: Script, probe: Probe) -> Iterator[Fault]:
    """Return arguments that come as `$1`, which puts a text into the script as it is: it has to come as `@1`."""
    compiled = [parameter for parameter in probe.parameters.values() if parameter.when == "compile"]
    for word in script.words:
        found = re.fullmatch(r"([$@])([0-9]+)", word.text) if word.kind == "name" else None
        if found is None:
            continue
        number = int(found[2][:9])
        if not 1 <= number <= len(compiled):
            what = f"{word.text}: the manifest has {len(compiled)} parameters with when: compile"
            yield Fault(word.line, what, "declare it there, in the order of the arguments")
        elif found[1] == "$" and compiled[number - 1].type == "string":
            what = f"{word.text} would put the text of {compiled[number - 1].name} into the script as code"
            yield Fault(word.line, what, f"write @{number}")


def _settings(script: Script, probe: Probe) -> Iterator[Fault]:
    """Return parameters set at load that are no global of the script."""
    declared = {variable.name: variable for variable in script.globals}
    for name, parameter in probe.parameters.items():
        variable = declared.get(name)
        if parameter.when != "load" or name == _TAPSET_PARAMETER:
            continue
        if variable is None:
            yield Fault(1, f"has no global for the parameter {name}", f"declare it: global {name} = ...")
        elif variable.sized:
            yield Fault(variable.line, f"the parameter {name} is an array", "make it a number or a text")
        elif variable.value not in (None, parameter.default):
            what = f"{name} begins with {printable(str(variable.value))[:40]!r}, but its default in the manifest is"
            yield Fault(variable.line, f"{what} {parameter.default!r}", "say the same in both")


def _shown(words: Iterable[Word]) -> str:
    return printable("".join(word.text for word in words)[:200])[:60]


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
