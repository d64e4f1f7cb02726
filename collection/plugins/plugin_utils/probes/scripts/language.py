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
  | (?P<unclosed> /\*.* | %\{.* | "(?:[^"\\\n]|\\.)* )
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

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_UNCLOSED = {"/*": "comment", "%{": "C code"}
_ARGUMENT = re.compile(r"([$@])([0-9]+|\#)")
_PASTES = 1000  # places at which arguments may stand: each costs another look at the text
_DIGITS = 24  # more than the longest number of 64 bits has, which is octal


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
        """Return each point as written, without blanks."""
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

    lines: where each of these begins. comments: (line, text). unclosed: (line, what) of the first comment, C code
    or text that does not end.
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
        """Yield the body of everything that runs: handlers, functions and macros."""
        yield from (handler.body for handler in self.handlers)
        yield from self.functions.values()
        yield from self.macros.values()


def read(text: str) -> Script:
    """Return the script parsed from `text`. Never raises, and takes time in proportion to it."""
    script = Script()
    _split(text, script)
    top = _without_choices(script)
    ends = partners(top)
    functions: dict[str, list[Word]] = {}
    place = 0
    while place < len(top):
        word = top[place]
        if word.text == "probe":
            place = _probe(top, ends, place, script)
        elif word.text == "function":
            place = _function(top, ends, place, script, functions)
        elif word.text == "global":
            place = _globals(top, ends, place, script)
        else:
            place += 1
    script.functions = {name: tuple(body) for name, body in functions.items()}
    return script


def with_arguments(text: str, arguments: Sequence[str], limit: int) -> str | None:
    """Return the text as SystemTap reads it with these arguments; None if it gets longer than `limit`, or takes long.

    Where a word begins with `$1` the argument stands as it is, where it begins with `@1` as a text; what follows
    is read on from there, so that an argument may begin a comment, or a name that the script ends.
    """
    read_already: list[str] = []
    length = place = pastes = 0
    while found := _WORDS.match(text, place):
        asked = _ARGUMENT.match(found[0]) if found.lastgroup == "name" else None
        place = found.end()
        value = None if asked is None else _argument(asked[2], arguments)
        if asked is None or value is None:
            continue
        if asked[1] == "@":
            value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        read_already.append(text[: found.start()])
        length += found.start()
        text = value + text[found.start() + len(asked[0]) :]
        place, pastes = 0, pastes + 1
        if pastes > _PASTES or length + len(text) > limit:
            return None
    return "".join((*read_already, text))


def _argument(which: str, arguments: Sequence[str]) -> str | None:
    if which == "#":
        return str(len(arguments))
    number = int(which[:_DIGITS])
    return arguments[number - 1] if 1 <= number <= len(arguments) else None


def calls(words: Sequence[Word], *names: str) -> Iterator[tuple[Word, list[tuple[Word, ...]]]]:
    """Yield (the name, its arguments) of every call of one of the `names`."""
    ends: list[int] | None = None
    for place, word in enumerate(words[:-1]):
        if word.text in names and word.kind == "name" and words[place + 1].text == "(":
            ends = partners(words) if ends is None else ends
            yield word, split(words[place + 2 : ends[place + 1]], ",")


def partners(words: Sequence[Word]) -> list[int]:
    """Return for every bracket the place of its partner: after the last word or before the first if it has none."""
    found = [-1] * len(words)
    opened: list[int] = []
    for place, word in enumerate(words):
        if word.kind != "sign":
            continue
        if word.text in _OPENING:
            opened.append(place)
            found[place] = len(words)
        elif word.text in _CLOSING and opened:
            found[place] = opened.pop()
            found[found[place]] = place
    return found


def too_deep(words: Sequence[Word], limit: int) -> int | None:
    """Return the line where more than `limit` brackets are open, or so many were closed that none had opened."""
    depth = 0
    for word in words:
        if word.kind == "sign":
            depth += (word.text in _OPENING) - (word.text in _CLOSING)
            if abs(depth) > limit:
                return word.line
    return None


def split(words: Sequence[Word], sign: str) -> list[tuple[Word, ...]]:
    """Return the pieces between the `sign`s that stand in no bracket; none of no words."""
    pieces: list[tuple[Word, ...]] = []
    depth = start = 0
    for at, word in enumerate(words):
        if word.kind != "sign":
            continue
        depth += (word.text in _OPENING) - (word.text in _CLOSING)
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
        elif kind == "unclosed":
            script.unclosed = script.unclosed or (line, _UNCLOSED.get(word[:2], "text"))
        elif kind != "blank":
            script.words.append(Word(word, kind, line, choices > 0))
        if word == "%)":
            choices -= 1
        line += word.count("\n")


def _without_choices(script: Script) -> list[Word]:
    """Return the words with macros put aside, and of each conditional both sides but not its condition."""
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


def _probe(words: Sequence[Word], ends: Sequence[int], place: int, script: Script) -> int:
    """Add a handler; a `{` among points belongs to them after a dot, a comma or another (`syscall.{open,close}`)."""
    start = at = place + 1
    while at < len(words):
        if words[at].text == "{":
            if words[at - 1].text not in (".", ",", "{", "probe", "=", "+="):
                break
            at = ends[at]
        at += 1
    end = _end(words, ends, at)
    head = words[start:at]
    equals = next(
        (n for n, word in enumerate(head) if word.text in ("=", "+=") and word.kind == "sign"), None
    )
    alias = "" if equals is None else "".join(word.text for word in head[:equals])
    points = [point for point in split(head if equals is None else head[equals + 1 :], ",") if point]
    script.handlers.append(Handler(tuple(points), tuple(words[at + 1 : end]), words[place].line, alias))
    return end + 1


def _end(words: Sequence[Word], ends: Sequence[int], at: int) -> int:
    """Return the place where the body ends that begins here, or the number of words if none begins."""
    return ends[at] if at < len(words) else len(words)


def _function(
    words: Sequence[Word], ends: Sequence[int], place: int, script: Script, functions: dict[str, list[Word]]
) -> int:
    name = words[place + 1].text if place + 1 < len(words) else ""
    at = place + 1
    while at < len(words) and words[at].text != "{" and words[at].kind != "embedded":
        at += 1
    end = at if at < len(words) and words[at].kind == "embedded" else _end(words, ends, at)
    script.lines.setdefault(name, words[place].line)
    functions.setdefault(name, []).extend(words[at + 1 : end])
    return end + 1


def _globals(words: Sequence[Word], ends: Sequence[int], place: int, script: Script) -> int:
    at = place + 1
    while at < len(words) and words[at].kind == "name":
        name, sized, value = words[at], False, None
        at += 1
        if at < len(words) and words[at].text == "%":
            at += 1
        if at < len(words) and words[at].text == "[":
            sized, at = True, ends[at] + 1
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
    """Return the number or text that these words are; None for anything else (a macro, an argument)."""
    if words and all(word.kind == "string" for word in words):
        return "".join(word.text[1:-1] for word in words)
    signs, number = words[:-1], words[-1] if words else None
    if number is None or number.kind != "number" or any(word.text not in ("-", "+") for word in signs):
        return None
    if len(number.text) > _DIGITS:
        return None  # SystemTap does not take it either
    hexadecimal = number.text[:2] in ("0x", "0X")
    octal = number.text.startswith("0") and not hexadecimal and set(number.text) <= set("01234567")
    value = int(number.text, 16 if hexadecimal else 8 if octal else 10)
    return -value if [word.text for word in signs].count("-") % 2 else value
