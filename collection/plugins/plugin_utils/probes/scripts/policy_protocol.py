# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of a catalog does that the host program relies on: it asks for the window, and leaves the end to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.fault import Fault
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Script,
    Word,
    calls,
    partners,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.policy_printing import (
    ESCAPES,
    KERNEL_TEXT,
    PRINTS,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.policy_safety import (
    changed,
    uses,
)

_ENDS = {"exit": "exit()", "abort": "abort()"}
# They mean what SystemTap's library means by them, and nothing else stands between their names and brackets.
_SPEAKING = frozenset({"printf", "warn", *PRINTS, *_ENDS})
_INTERNAL = frozenset({"fd_nonce", "fd_set_nonce", "fd_set_window", "fd_open_window", "fd_end"})
_OWN = re.compile(r"@?fd[_.]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_TAPSET_PARAMETER = "interval_s"  # a global of the tapset: a probe may declare it for another default


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
        for line, target in changed(body):
            if target[0].text.startswith("fd_") and target[-1].text != ")":
                yield Fault(line, f"changes {target[0].text}", "it is fleetdiag's own: only read it")


def _definitions(script: Script) -> Iterator[Fault]:
    """Return where a probe defines a function that makes a text safe, which is SystemTap's."""
    for before, word, name in zip([None, *script.words], script.words, script.words[1:], strict=False):
        if word.text != "function" or word.kind != "name" or (before is not None and before.text == "."):
            continue
        if not _NAME.fullmatch(name.text):
            yield Fault(word.line, "defines a function without saying its name", "write the name behind it")
        elif name.text in ESCAPES | KERNEL_TEXT | _SPEAKING:
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
    for word, followed in uses(script, _SPEAKING):
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
        prints = any(word.text in ("printf", *PRINTS) for word in handler.body)
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


RULES = (_ending, _wildcards, _handlers)
OF_PROBES = (_own_names, _definitions, _macros, _speaking, _arrays)
OF_MANIFESTS = (_arguments, _settings)
"""RULES: for probes and the tapset. OF_PROBES: for probes alone. OF_MANIFESTS: for probes whose manifest is known."""
