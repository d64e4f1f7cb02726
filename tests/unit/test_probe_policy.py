# SPDX-License-Identifier: GPL-3.0-or-later
"""What no shipped SystemTap script may do, read from its text: nothing here needs SystemTap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[2] / "collection" / "roles" / "sweep" / "files"
PROBES = sorted(FILES.glob("probes/*/*.stp"))
TAPSET = sorted(FILES.glob("tapset/*"))
SCRIPTS = [*PROBES, *TAPSET, FILES / "control.stp", FILES / "smoke.stp"]

each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
each_probe = pytest.mark.parametrize("path", PROBES, ids=lambda path: path.name)

FORBIDDEN = {
    r"%\{": "C code",
    r"\bsystem\s*\(": "runs a command on the host",
    r"\b(panic|raise|mdelay|set_kernel_\w+)\s*\(": "changes what it should watch",
    r"\$\w+(->\w+)*\s*[-+*/|&^]?=[^=]": "writes into the kernel",
    r'\b(kernel|process\("[^"]*"\))\.function\("\*"\)': "probes everything",
    r"\.absolute\b|\bperf\.": "probes an address or from a non-maskable interrupt",
    r"\bexit\s*\(": "ends the session: control.stp does that",
}
ENDS_THE_SESSION = {"control.stp", "smoke.stp"}

SAFE_TEXT = re.compile(r'(fd_row|fd_str)\(|"[^"]*"$')
# Text that no process chooses: the kernel's function names, our own constants.
OWN_TEXT = {
    "fs_calltrace.stp": {"ppfunc()"},
    "control.stp": {"fd_end_reason"},
}


def code(path: Path) -> str:
    """The script without comments, which may say anything."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|#[^\n]*|/\*.*?\*/', r"\1", text, flags=re.DOTALL)


def calls(text: str, name: str) -> Iterator[list[str]]:
    """The arguments of every call of `name`, as written."""
    for found in re.finditer(rf"\b{name}\s*\(", text):
        arguments, depth, start, quoted, at = [], 0, found.end(), False, found.end()
        while depth >= 0:
            char = text[at]
            if char == '"' and text[at - 1] != "\\":
                quoted = not quoted
            elif not quoted and char in "([":
                depth += 1
            elif not quoted and char in ")]":
                depth -= 1
            if depth < 0 or (char == "," and depth == 0 and not quoted):
                arguments.append(text[start:at].strip())
                start = at + 1
            at += 1
        yield arguments


def text_arguments(arguments: list[str]) -> list[str]:
    """Those arguments of a printf() that its format prints as text."""
    conversions = re.findall(r"%[-+ 0#]*(\*|\d+)?(?:\.\d+)?([a-zA-Z%])", arguments[0])
    kinds: list[str] = []
    for width, kind in conversions:
        if kind != "%":
            kinds += ["*", kind] if width == "*" else [kind]
    assert len(kinds) == len(arguments) - 1, arguments
    return [argument for kind, argument in zip(kinds, arguments[1:], strict=True) if kind in "sc"]


def handlers(text: str) -> Iterator[tuple[str, str]]:
    """(probe point, body) of every probe and alias."""
    for found in re.finditer(r"^probe\s+([^{]+?)\s*\{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2]


def test_there_are_scripts() -> None:
    assert len(PROBES) >= 4
    assert TAPSET


@each_script
def test_a_script_does_nothing_that_needs_guru_mode_or_ends_the_session(path: Path) -> None:
    text = code(path)
    found = [
        why
        for pattern, why in FORBIDDEN.items()
        if re.search(pattern, text) and not (pattern.startswith(r"\bexit") and path.name in ENDS_THE_SESSION)
    ]
    assert found == []


@each_script
def test_every_text_a_script_prints_is_escaped(path: Path) -> None:
    raw = [
        argument
        for arguments in calls(code(path), "printf")
        for argument in text_arguments(arguments)
        if not SAFE_TEXT.match(argument) and argument not in OWN_TEXT.get(path.name, ())
    ]
    assert raw == []


@each_probe
def test_a_probe_prints_only_by_printf(path: Path) -> None:
    assert not re.search(r"\b(print|println|printd|printdln|log|error|ftrace)\s*\(", code(path))


@each_probe
def test_every_array_of_a_probe_has_a_size(path: Path) -> None:
    text = code(path)
    names = {
        name: bool(size)
        for declared in re.findall(r"^global\s+(.*)$", text, re.MULTILINE)
        for name, size in re.findall(r"(\w+)\s*%?\s*(\[\d+\])?\s*(?:=\s*[^,]+)?(?:,|$)", declared)
    }
    unsized = [name for name, sized in names.items() if not sized and re.search(rf"(?<!\w){name}\[", text)]
    assert unsized == []


@pytest.mark.parametrize("path", [*PROBES, *TAPSET], ids=lambda path: path.name)
def test_a_handler_asks_whether_the_window_is_open(path: Path) -> None:
    careless = [
        point
        for point, body in handlers(code(path))
        if not point.startswith(("end", "fd.")) and "fd_sampling()" not in body
    ] + [
        point
        for point, body in handlers(code(path))
        if "=" in point and "fd_sampling()" not in body and not re.search(r"=\s*(fd\.|end)", point)
    ]
    assert careless == []


@pytest.mark.parametrize("path", TAPSET, ids=lambda path: path.name)
def test_names_of_the_tapset_cannot_meet_those_of_a_probe(path: Path) -> None:
    text = code(path)
    names = re.findall(r"^(?:function|global|@define)\s+(\w+)|^probe\s+([\w.]+)\s*=", text, re.MULTILINE)
    given = {"".join(name) for name in names} - {"interval_s"}  # the one parameter that every probe has
    assert [name for name in given if not name.startswith(("fd_", "fd."))] == []


def test_the_check_sees_what_it_looks_for() -> None:
    hostile = 'printf("%s\\t%*s%d\\n", execname(), 3, fd_str(name), pid())'
    (arguments,) = calls(hostile, "printf")
    assert text_arguments(arguments) == ["execname()", "fd_str(name)"]
    assert not SAFE_TEXT.match("execname()")
    assert SAFE_TEXT.match("fd_str(name)")
