# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import language
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Global,
    Word,
    calls,
    read,
)

SCRIPT = r"""#! /usr/bin/stap
/* two
   lines */ global a, b[10] = 3, c%[20]   # a comment: probe x {}
global text = "one" "two", d
private global e
@define both(point) %( kernel.function(@point).call, kernel.function(@point).return %)
%( kernel_v >= "6.0" %? probe one.point { one() } %: probe other.point { other() } %)
probe syscall.{open,close}.return, @both("vfs_*") ? {
  if (x) { y = "a { brace and \" quote // no comment" }
}
probe my.alias = timer.ms(10), end(5) {}
function f:long(a:long, b:string) { return a }
private function g() %{ /* C with { */ STAP_RETURN(1); %}
"""


def test_what_stands_in_a_script() -> None:
    script = read(SCRIPT)
    assert script.globals == [
        Global("a", 3, False),
        Global("b", 3, True),
        Global("c", 3, True),
        Global("text", 4, False, "onetwo"),
        Global("d", 4, False),
        Global("e", 5, False),
    ]
    assert [(handler.names, handler.alias, handler.line) for handler in script.handlers] == [
        (["one.point"], "", 7),
        (["other.point"], "", 7),
        (["syscall.{open,close}.return", '@both("vfs_*")?'], "", 8),
        (["timer.ms(10)", "end(5)"], "my.alias", 11),
    ]
    assert [word.text for word in script.handlers[2].body][-3:-1] == [
        "=",
        '"a { brace and \\" quote // no comment"',
    ]
    assert list(script.functions) == ["f", "g"]
    assert [word.text for word in script.functions["f"]] == ["return", "a"]
    assert script.functions["g"] == ()
    assert "".join(word.text for word in script.macros["@both"]).startswith(
        "kernel.function(@point).call,kernel"
    )
    assert script.lines == {"f": 12, "g": 13, "@both": 6}
    assert [line for line, _ in script.comments] == [1, 2, 3]
    assert script.unclosed is None


def test_calls_and_their_arguments() -> None:
    words = read('probe x { printf("%s,%d", f(a, b), c[1, 2]) printf() printf }').handlers[0].body
    found = [
        ["".join(word.text for word in argument) for argument in arguments]
        for _, arguments in calls(words, "printf")
    ]
    assert found == [['"%s,%d"', "f(a,b)", "c[1,2]"], []]


@pytest.mark.parametrize(
    ("text", "unclosed"),
    [
        ("probe x {}\n/* never", (2, "comment")),
        ("\n\n%{ int x;", (3, "C code")),
        ('a = "text\nb', (1, "text")),
        ("a / b % c", None),
    ],
)
def test_what_does_not_end(text: str, unclosed: tuple[int, str] | None) -> None:
    assert read(text).unclosed == unclosed


def test_the_words_of_choices_are_known_as_such() -> None:
    words = read('x %( a == 1 %? system %: b %) ("ls")').words
    assert Word("system", "name", 1, True) in words
    assert Word("x", "name", 1, False) in words
    assert Word('"ls"', "string", 1, False) in words


PIECES = st.lists(
    st.sampled_from(
        [
            "probe ",
            "function ",
            "global ",
            "@define ",
            "x",
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "%(",
            "%)",
            "%?",
            "%:",
            "=",
            ",",
            ".",
            '"',
            "\\",
            "/*",
            "*/",
            "%{",
            "%}",
            "\n",
            "printf(",
            "$a->b",
            "++",
            "%",
            "#",
        ]
    ),
    max_size=30,
).map("".join)


@given(PIECES | st.text())
def test_any_text_can_be_read(text: str) -> None:
    script = read(text)
    assert all(word.line <= text.count("\n") + 1 for word in script.words)
    list(language.calls(script.words, "printf"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a = 5", 5),
        ("a = -1", -1),
        ("a = - -1", 1),
        ("a = 0x1F", 31),
        ("a = 010", 8),
        ("a = 08", 8),
        ('a = "x" "y"', "xy"),
        ("a", None),
        ("a[4] = 3", None),
        ("a = $1", None),
        ("a = @one", None),
    ],
)
def test_what_a_global_begins_with(written: str, value: int | str | None) -> None:
    (declared,) = read(f"global {written}\nprobe begin {{}}").globals
    assert declared.value == value
