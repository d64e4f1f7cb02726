# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script may not do, rule by rule: each is found with its line, and what looks like it is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from policies import GOOD, found, in_handler, probe

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy

from .test_language import PIECES


def test_a_good_script_has_no_fault() -> None:
    assert policy.faults(GOOD, "probe", probe()) == []
    assert policy.faults(GOOD, "script") == []


def test_arguments_do_not_make_a_script_longer_than_scripts_may_be() -> None:
    for script, argument in (("$1 " * 50_000, "x"), ("$1 $1", "x" * 200_000)):
        (fault,) = policy.faults(script, "script", arguments=[argument])
        assert fault.what == "gets too long with its arguments"


def test_the_tapset_may_hold_c_and_has_its_own_names() -> None:
    text = "%{ int x; %}\nfunction fd_x() %{ %}\nprobe fd.y = timer.s(1) { if (!fd_sampling()) next }"
    assert found(text, "tapset") == []
    assert found(text + '\nprobe end { exit() printf("%s", execname()) }', "tapset") == [
        (4, "exit() ends the session"),
        (4, "prints execname() as it is, so that a name could forge a row"),
    ]


def test_what_is_still_to_do() -> None:
    text = '// TODO: this\nprobe end { x = "TODO" } /* and\nthis TODO */ # XXX TODOS\n'
    assert [fault.line for fault in policy.unfinished(text)] == [1, 3]


def test_a_sweep_is_refused_in_one_sentence(tmp_path: Path) -> None:
    script = tmp_path / "p.stp"
    script.write_text("\n" + in_handler('system("x")  exit()'))
    with pytest.raises(FleetdiagError) as caught:
        policy.enforce(script, "probe")
    assert str(caught.value) == (
        f"{script}:4: exit() ends the session; take it out: the session ends with the window"
        f" (and 1 more: fleetdiag probes check {tmp_path})"
    )
    script.write_text(GOOD)
    policy.enforce(script, "probe", probe())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n\xff", ":2: is not UTF-8 text; save it as UTF-8"),
        (b"\n\n\0", ":3: holds a zero byte; take it out"),
        (b"#" * 300_000, ":1: is larger than 262144 bytes; shorten it"),
        (None, ": No such file or directory; make it readable"),
    ],
)
def test_a_file_that_is_no_script(tmp_path: Path, content: bytes | None, said: str) -> None:
    script = tmp_path / "p.stp"
    if content is not None:
        script.write_bytes(content)
    with pytest.raises(FleetdiagError) as caught:
        policy.enforce(script, "script")
    assert str(caught.value) == f"{script}{said}"


@given(PIECES)
def test_any_text_has_faults_or_none(text: str) -> None:
    for level in ("script", "probe", "tapset"):
        for fault in policy.faults(text, level, probe()):  # type: ignore[arg-type]
            assert 1 <= fault.line <= text.count("\n") + 1
            assert "\n" not in fault.what + fault.advice


DEEP = [
    "printf(" * 30_000 + ")" * 30_000,
    'printf("%s", ' + "(" * 60_000 + "x" + ")" * 60_000 + ")",
    'printf("%s", ' + "(a?" * 3_000 + "1" + ":2)" * 3_000 + ")",
    'printf("%s", ' + '"a".(' * 3_000 + '"b"' + ")" * 3_000 + ")",
    "a[" * 20_000 + "1" + "]=" * 20_000 + "1",
    "]=" * 60_000,
    "{" * 60_000,
]


@pytest.mark.parametrize("code", DEEP, ids=range(len(DEEP)))
def test_brackets_are_only_so_deep(code: str) -> None:
    said = found("probe begin { " + code + " }")
    assert said == [(1, "more than 64 brackets are open, or closed, at once")]


def test_a_number_that_is_too_long_is_no_value() -> None:
    assert found("global a = " + "1" * 5_000, "script") == []
    assert any(
        "the manifest has 0 parameters" in what
        for _, what in found(in_handler("x = $" + "1" * 5_000), "probe", probe("text"))
    )


LONG = {  # made of so many pieces
    "unclosed comments": lambda n: "/*" * 5 * n,
    "unclosed texts": lambda n: "probe begin { x = " + '\\"' * n,
    "C code that does not end": lambda n: "%{" * n,
    "choices without brackets": lambda n: in_handler('printf("%s", ' + "a?" * n + '"x"' + ':"y"' * n + ")"),
    "functions that ask through another": lambda n: (
        "".join(f"function f{at}() {{ f{at + 1}() }}\n" for at in range(n // 8))
        + f"function f{n // 8}() {{ fd_sampling() }}"
    ),
    "one function many times": lambda n: "function f() { x }" * (n // 4),
    "globals and bodies": lambda n: "".join(
        f"global g{at}\nprobe timer.ms({at}) {{ x }}\n" for at in range(n // 8)
    ),
    "points of one body": lambda n: "probe begin" + ", begin" * n + " { " + "x " * n + "}",
    "a width of zeros": lambda n: in_handler('printf("%' + "0" * 4 * n + '#", x)'),
    "a pattern of stars": lambda n: 'probe kernel.function("' + "*" * 4 * n + 'x") { }',
    "nested calls": lambda n: in_handler(("f(" * 60 + ")" * 60) * (n // 40)),
    "assignments behind brackets": lambda n: in_handler("{ ]= " * 30 + "a[1]= " * n),
}


def steps(text: str) -> int:
    """Processor time in microseconds that it takes to judge a script."""
    began = time.process_time()
    policy.faults(text, "probe", probe("text"))
    return round((time.process_time() - began) * 1e6)


@pytest.mark.parametrize("made_of", LONG)
def test_a_script_takes_time_in_proportion_to_its_length(made_of: str) -> None:
    """Sixteen times the length takes sixteen times as long, and 256 times where somebody looks at all for each."""
    make = LONG[made_of]
    short, long = make(1_500), make(24_000)
    assert len(long) <= policy.MAX_BYTES * 2
    least = min(steps(short) for _ in range(3))
    assert steps(long) < 90 * max(least, 2_000)
