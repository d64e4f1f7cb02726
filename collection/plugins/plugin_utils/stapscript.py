# SPDX-License-Identifier: GPL-3.0-or-later
"""A SystemTap script read without SystemTap: its words with their lines, its handlers, functions and globals.

This is no parser: it knows the language just well enough to say what stands where, and takes any text. The two
sides of a conditional (`%( .. %? .. %: .. %)`) both count, and so do the bodies of macros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_WORDS = re.compile(
    r"""
    (?P<comment> //[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?P<embedded> %\{.*?%\} )
  | (?P<string> "(?:[^"\\\n]|\\.)*" )
  | (?P<name> [$@]*[A-Za-z_][A-Za-z0-9_]*\$* | [$@][0-9\#$]+ )
  | (?P<number> 0[xX][0-9a-fA-F]+ | [0-9]+ )
  | (?P<sign> <<<|<<=|>>=|>>>|%\(|%\)|%\?|%:|->|\+\+|--|&&|\|\||[-+*/%.&|^=!<>]=|=~|!~|<<|>>|\S )
  | (?P<blank> \s+ )
    """,
    re.VERBOSE | re.DOTALL,
)
ASSIGNS = frozenset(
    {"=", "+=", "-=", "*=", "/=", "%=", ".=", "&=", "|=", "^=", "<<=", ">>=", "<<<", "++", "--"}
)
"""Signs that change what stands before them (`++` and `--` also what stands after)."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Word(NamedTuple):
    """One word of a script. kind: name, string, number, sign, embedded. choice: it stands inside `%( %)`."""

    text: str
    kind: str
    line: int
    choice: bool = False


@dataclass(frozen=True)
class Handler:
    """`probe POINTS BODY`, or an alias: `probe ALIAS = POINTS BODY`."""

    points: tuple[tuple[Word, ...], ...]
    body: tuple[Word, ...]
    line: int
    alias: str = ""

    @property
    def names(self) -> list[str]:
        """Each point as written, without blanks."""
        return ["".join(word.text for word in point) for point in self.points]


@dataclass(frozen=True)
class Global:
    """A declared global. sized: it has a number of entries. value: the number or text it begins with, if it is said."""

    name: str
    line: int
    sized: bool
    value: int | str | None = None


@dataclass
class Script:
    """What stands in a script. words: all of it but comments. functions, macros: their bodies by name.

    lines: where each of these begins. comments: (line, text). unclosed: (line, what) if the text ends inside
    something.
    """

    words: list[Word] = field(default_factory=list)
    handlers: list[Handler] = field(default_factory=list)
    functions: dict[str, tuple[Word, ...]] = field(default_factory=dict)
    macros: dict[str, tuple[Word, ...]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    globals: list[Global] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)
    unclosed: tuple[int, str] | None = None

    @property
    def bodies(self) -> Iterator[tuple[Word, ...]]:
        """Everything that runs."""
        yield from (handler.body for handler in self.handlers)
        yield from self.functions.values()
        yield from self.macros.values()


def read(text: str) -> Script:
    """What stands in `text`. Never raises."""
    script = Script()
    _split(text, script)
    top = _without_choices(script)
    place = 0
    while place < len(top):
        word = top[place]
        if word.text == "probe":
            place = _probe(top, place, script)
        elif word.text == "function":
            place = _function(top, place, script)
        elif word.text == "global":
            place = _globals(top, place, script)
        else:
            place += 1
    return script


def calls(words: Sequence[Word], name: str) -> Iterator[tuple[Word, list[tuple[Word, ...]]]]:
    """(the name, its arguments) of every call of `name`."""
    for place, word in enumerate(words[:-1]):
        if word.text == name and word.kind == "name" and words[place + 1].text == "(":
            end = matching(words, place + 1)
            yield word, split(words[place + 2 : end], ",")


def matching(words: Sequence[Word], place: int) -> int:
    """Where the bracket at `place` closes; the end of the words if it does not."""
    depth = 0
    for at in range(place, len(words)):
        if words[at].kind != "sign":
            continue
        if words[at].text in _CLOSING:
            depth += 1
        elif words[at].text in _CLOSING.values():
            depth -= 1
            if depth <= 0:
                return at
    return len(words)


def split(words: Sequence[Word], sign: str) -> list[tuple[Word, ...]]:
    """The pieces between the `sign`s that stand in no bracket; none of no words."""
    pieces: list[tuple[Word, ...]] = []
    depth = start = 0
    for at, word in enumerate(words):
        if word.kind != "sign":
            continue
        depth += (word.text in _CLOSING) - (word.text in _CLOSING.values())
        if word.text == sign and depth == 0:
            pieces.append(tuple(words[start:at]))
            start = at + 1
    return [*pieces, tuple(words[start:])] if words else []


def _split(text: str, script: Script) -> None:
    line = 1
    choices = 0
    for found in _WORDS.finditer(text):
        kind, word = found.lastgroup or "", found[0]
        if word == "%(":
            choices += 1
        if kind == "comment":
            script.comments.append((line, word))
        elif kind != "blank":
            script.words.append(Word(word, kind, line, choices > 0))
        if word == "%)":
            choices -= 1
        if kind == "sign" and script.unclosed is None:
            rest = text[found.start() : found.start() + 2]
            what = {"/*": "comment", "%{": "C code", '"': "text"}.get(rest, "text" if word == '"' else "")
            script.unclosed = (line, what) if what else None
        line += word.count("\n")


def _without_choices(script: Script) -> list[Word]:
    """The words with macros put aside, and of each conditional both sides but not its condition."""
    top: list[Word] = []
    words = script.words
    place = 0
    while place < len(words):
        word = words[place]
        if word.text == "@define" and place + 1 < len(words):
            place = _macro(words, place, script)
        elif word.text == "%(" and word.kind == "sign":
            place += 1
            while place < len(words) and words[place].text not in ("%?", "%)"):
                place += 1
            place += 1
        else:
            if word.text not in ("%:", "%)", "%?"):
                top.append(word)
            place += 1
    return top


def _macro(words: Sequence[Word], place: int, script: Script) -> int:
    name, line = words[place + 1].text, words[place].line
    place += 2
    while place < len(words) and words[place].text != "%(":
        place += 1
    depth, start = 0, place + 1
    while place < len(words):
        depth += (words[place].text == "%(") - (words[place].text == "%)")
        place += 1
        if depth == 0:
            break
    script.macros["@" + name] = tuple(words[start : place - 1])
    script.lines["@" + name] = line
    return place


def _probe(words: Sequence[Word], place: int, script: Script) -> int:
    """A `{` among points belongs to them after a dot, a comma or another (`syscall.{open,close}`)."""
    start = at = place + 1
    while at < len(words):
        if words[at].text == "{":
            if words[at - 1].text not in (".", ",", "{", "probe", "=", "+="):
                break
            at = matching(words, at)
        at += 1
    end = matching(words, at)
    head = words[start:at]
    equals = next(
        (n for n, word in enumerate(head) if word.text in ("=", "+=") and word.kind == "sign"), None
    )
    alias = "" if equals is None else "".join(word.text for word in head[:equals])
    points = [point for point in split(head if equals is None else head[equals + 1 :], ",") if point]
    script.handlers.append(Handler(tuple(points), tuple(words[at + 1 : end]), words[place].line, alias))
    return end + 1


def _function(words: Sequence[Word], place: int, script: Script) -> int:
    name = words[place + 1].text if place + 1 < len(words) else ""
    at = place + 1
    while at < len(words) and words[at].text != "{" and words[at].kind != "embedded":
        at += 1
    end = at if at < len(words) and words[at].kind == "embedded" else matching(words, at)
    script.lines.setdefault(name, words[place].line)
    script.functions[name] = (*script.functions.get(name, ()), *words[at + 1 : end])
    return end + 1


def _globals(words: Sequence[Word], place: int, script: Script) -> int:
    at = place + 1
    while at < len(words) and words[at].kind == "name":
        name, sized, value = words[at], False, None
        at += 1
        if at < len(words) and words[at].text == "%":
            at += 1
        if at < len(words) and words[at].text == "[":
            sized, at = True, matching(words, at) + 1
        if at < len(words) and words[at].text == "=":
            start = at = at + 1
            while at < len(words) and words[at].text in ("-", "+"):
                at += 1
            at += 1
            while at < len(words) and words[at].kind == "string":  # texts beside each other are one
                at += 1
            value = None if sized else _literal(words[start:at])
        script.globals.append(Global(name.text, name.line, sized, value))
        if at < len(words) and words[at].text == ",":
            at += 1
        else:
            break
    return at


def _literal(words: Sequence[Word]) -> int | str | None:
    """The number or text that these words are; None for anything else (a macro, an argument)."""
    if words and all(word.kind == "string" for word in words):
        return "".join(word.text[1:-1] for word in words)
    signs, number = words[:-1], words[-1] if words else None
    if number is None or number.kind != "number" or any(word.text not in ("-", "+") for word in signs):
        return None
    hexadecimal = number.text[:2] in ("0x", "0X")
    octal = number.text.startswith("0") and not hexadecimal and set(number.text) <= set("01234567")
    value = int(number.text, 16 if hexadecimal else 8 if octal else 10)
    return -value if [word.text for word in signs].count("-") % 2 else value
