# SPDX-License-Identifier: GPL-3.0-or-later
"""What no script may do on a probed host: run a command, write into the kernel, hold C code."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.fault import (
    Fault,
    as_written,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    ASSIGNS,
    Script,
    Word,
    partners,
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
_CHOICES = frozenset({"%(", "%?", "%:", "%)"})
_KEYWORDS = frozenset(
    {"next", "break", "continue", "return", "else", "if", "for", "foreach", "while", "delete", "in"}
)
# Probe points that are asked for the contents of a file in /proc; the last two are names of SystemTap's library.
_ANSWERS = re.compile(r"procfs.*\.read\b|(prometheus|json_data)$")


def broken(script: Script) -> Iterator[Fault]:
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


def system(script: Script) -> Iterator[Fault]:
    for word, followed in uses(script, {"system"}):
        if followed:
            yield Fault(word.line, _SYSTEM, "a probe only watches: take it out")


def uses(script: Script, names: Container[str]) -> Iterator[tuple[Word, str]]:
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


def c_code(script: Script) -> Iterator[Fault]:
    for word in script.words:
        if word.kind == "embedded":
            yield Fault(word.line, "holds C code (%{ %})", "write it in SystemTap's own language")


def _writes(script: Script) -> Iterator[Fault]:
    """Return assignments to what belongs to the kernel: `$variable`, or anything reached with an arrow."""
    for body, answers in _bodies(script):
        for line, target in changed(body):
            kernel = target[0].text.startswith("$") or any(part.text == "->" for part in _outside(target))
            shown = as_written(target)
            if kernel and not (answers and shown == "$value"):
                yield Fault(line, f"writes into the kernel ({shown})", "a probe only watches: take it out")


def _bodies(script: Script) -> Iterator[tuple[Sequence[Word], bool]]:
    """Return (body, whether it may answer through $value: it is asked for the contents of a file in /proc)."""
    for handler in script.handlers:
        names = handler.names
        yield handler.body, all(_ANSWERS.match(name) for name in names)
    for body in (*script.functions.values(), *script.macros.values()):
        yield body, False


def changed(words: Sequence[Word]) -> Iterator[tuple[int, Sequence[Word]]]:
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


RULES = (_open, _dangerous, _writes)
"""For scripts of every level, once it is known that their brackets are not too deep."""
