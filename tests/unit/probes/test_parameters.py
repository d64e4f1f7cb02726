# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import parameters
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe

DECLARED = {
    "threshold_ms": {"type": "int", "default": 1000, "min": 1, "max": 3600000, "unit": "ms"},
    "module": {"type": "string", "default": "ext4", "pattern": "^[a-z0-9_-]+$", "when": "compile"},
    "process": {"type": "string", "default": ""},
    "all": {"type": "bool", "default": False},
    "depth": {"type": "int", "default": 3, "when": "compile"},
}


def probe(*, interval: bool = False, declared: dict[str, dict[str, Any]] | None = None) -> Probe:
    described = {
        name: {"description": "It.", **value}
        for name, value in (DECLARED if declared is None else declared).items()
    }
    column = {"type": "int", "role": "key", "description": "It."}
    return probe_from_manifest(
        "slow_open",
        {
            "description": "A.",
            "question": "A?",
            "output": "rows",
            "cost": "low",
            "requires": {"module_files": ["{module}", "vfat"] if declared is None else []},
            "parameters": described,
            "tables": {"t": {"description": "Rows.", "interval": interval, "columns": {"a": column}}},
        },
    )


def test_defaults_are_filled_in() -> None:
    assert parameters.check(probe(), {}) == {
        "threshold_ms": 1000,
        "module": "ext4",
        "process": "",
        "all": False,
        "depth": 3,
    }


@pytest.mark.parametrize(
    ("name", "given_value", "value"),
    [
        ("threshold_ms", 500, 500),
        ("threshold_ms", "500", 500),
        ("threshold_ms", " 500 ", 500),
        ("depth", "-7", -7),
        ("depth", "+7", 7),
        ("all", True, True),
        ("all", "yes", True),
        ("all", "True", True),
        ("all", "1", True),
        ("all", 0, False),
        ("all", "off", False),
        ("process", "nginx", "nginx"),
        ("process", "/usr/bin/x:1@a-b.c", "/usr/bin/x:1@a-b.c"),
        ("process", 42, "42"),
        ("process", "", ""),
        ("module", "xfs", "xfs"),
    ],
)
def test_values_are_coerced(name: str, given_value: object, value: object) -> None:
    read = parameters.check(probe(), {name: given_value})[name]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("threshold_ms", 0, "0 is out of range; choose a number from 1 to 3600000 (ms)"),
        ("threshold_ms", "3600001", "3600001 is out of range; choose"),
        ("threshold_ms", "many", "many is not a whole number; give one from 1 to 3600000 (ms)"),
        ("threshold_ms", 1.5, "1.5 is not a whole number"),
        ("threshold_ms", True, "True is not a whole number"),
        ("threshold_ms", None, "None is not a whole number"),
        ("threshold_ms", "9" * 5000, "is not a whole number"),
        ("depth", 2**63, "is out of range; choose a number of at most 64 bits"),
        ("all", "maybe", "maybe is neither true nor false; give one of them"),
        ("all", 2, "2 is neither true nor false"),
        ("all", [], "[] is neither true nor false"),
        ("process", "a b", "holds a space, a quote, a backslash"),
        ("process", 'a"b', "holds a space"),
        ("process", "a\\b", "holds a space"),
        ("process", "a\nb", r"a\x0ab holds a space"),
        ("process", "日本", "not ASCII"),
        ("process", "a;b", "a;b does not match ^[A-Za-z0-9_.:/@-]*$; choose a value that does"),
        ("process", True, "True is not text; put it in quotes"),
        ("process", ["a"], "is not text"),
        ("module", "EXT4", "EXT4 does not match ^[a-z0-9_-]+$"),
        ("module", "ext4\n", "holds a space"),
        ("module", "", "does not match"),
        ("module", "-g", "-g would be an option of stap; do not begin it with -"),
        ("treshold_ms", 5, "is not known to the probe; did you mean threshold_ms?"),
        ("zzz", 5, "is not known to the probe; it has threshold_ms, module, process, all, depth"),
        ("\x1b[2J", 5, "is not known"),
        ("interval_s", 5, "is not known to the probe"),
    ],
)
def test_errors_name_probe_and_parameter(name: str, value: object, said: str) -> None:
    with pytest.raises(FleetdiagError) as caught:
        parameters.check(probe(), {name: value})
    message = str(caught.value)
    assert message.startswith("probe slow_open: parameter ")
    assert said in message
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 400


def test_a_probe_without_parameters_says_so() -> None:
    with pytest.raises(
        FleetdiagError, match=r"parameter x: is not known, the probe has no parameters; take it out$"
    ):
        parameters.check(probe(declared={}), {"x": 1})


def test_interval_tables_bring_their_parameter() -> None:
    assert parameters.check(probe(interval=True), {})["interval_s"] == 5
    assert parameters.check(probe(interval=True), {"interval_s": "10"})["interval_s"] == 10
    with pytest.raises(FleetdiagError, match=r"interval_s: 3601 is out of range"):
        parameters.check(probe(interval=True), {"interval_s": 3601})
    own = {"interval_s": {"type": "int", "default": 1, "min": 1, "max": 60}}
    assert parameters.check(probe(interval=True, declared=own), {}) == {"interval_s": 1}


def test_split_keeps_the_manifests_order() -> None:
    values = parameters.check(probe(interval=True), {"all": "yes", "depth": -2, "module": "xfs"})
    load, arguments = parameters.split(probe(interval=True), values)
    assert load == {"threshold_ms": 1000, "process": "", "all": 1, "interval_s": 5}
    assert [type(value) for value in load.values()] == [int, str, int, int]
    assert arguments == ["xfs", "-2"]


def test_module_files_are_filled_in() -> None:
    assert parameters.module_files(probe(), parameters.check(probe(), {"module": "xfs"})) == ["xfs", "vfat"]


def test_parameters_of_other_probes_are_refused() -> None:
    parameters.check_names([probe()], {"slow_open": {"threshold_ms": 1}})
    with pytest.raises(
        FleetdiagError, match=r"^parameters for probe nettop: it is not part of this sweep \(slow_open\)"
    ):
        parameters.check_names([probe()], {"nettop": {}})
    with pytest.raises(FleetdiagError, match=r"^parameters for probe slow_open: 5 is no mapping; "):
        parameters.check_names([probe()], {"slow_open": 5})


def test_assignments_of_the_command_line() -> None:
    texts = ["slow_open.threshold_ms=500", "fs.process=a=b", "slow_open.process="]
    assert parameters.parse_assignments(texts) == {
        "slow_open": {"threshold_ms": "500", "process": ""},
        "fs": {"process": "a=b"},
    }
    assert parameters.parse_assignments([]) == {}


@pytest.mark.parametrize("text", ["", "x", "x=1", ".x=1", "a.=1", "a.b", "=", "a=b.c=1", "\x1b[2J"])
def test_assignments_that_are_none(text: str) -> None:
    with pytest.raises(
        FleetdiagError, match=r"^parameter .*: is not of the form PROBE\.NAME=VALUE; write it like"
    ):
        parameters.parse_assignments([text])


def test_a_parameter_given_twice() -> None:
    with pytest.raises(FleetdiagError, match=r"^parameter a\.b: is given twice, as 1 and 2; give it once$"):
        parameters.parse_assignments(["a.b=1", "a.b=2"])


@pytest.mark.parametrize(
    ("window", "seconds"),
    [
        (30, 30),
        ("30", 30),
        ("30s", 30),
        ("2m", 120),
        ("10min", 600),
        ("5 sec", 5),
        ("1h", 3600),
        ("1d", 86400),
        (" 5 S ", 5),
        (1, 1),
        (86400, 86400),
        ("24h", 86400),
    ],
)
def test_windows(window: object, seconds: int) -> None:
    assert parameters.parse_window(window) == seconds


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (0, "window 0: is out of range; choose 1 to 86400 seconds (24 h)"),
        ("0s", "window 0s: is out of range"),
        (-5, "window -5: is out of range"),
        ("-5m", "window -5m: is out of range"),
        (86401, "window 86401: is out of range"),
        ("25h", "window 25h: is out of range"),
        (10**30, "is out of range"),
        ("9" * 5000, "is not a time"),
        ("soon", "window soon: is not a time; write seconds, or like 30s or 2m"),
        ("", "is not a time"),
        ("30 s 5", "is not a time"),
        ("3 fortnights", "is not a time"),
        ("1w", "window 1w: is out of range"),
        ("1.5", "is not a time"),
        (1.5, "window 1.5: is not a time"),
        (True, "window True: is not a time"),
        (None, "window None: is not a time"),
        ([30], "is not a time"),
        ("\x1b[2J", r"window \x1b[2J: is not a time"),
    ],
)
def test_windows_that_are_none(window: object, said: str) -> None:
    with pytest.raises(FleetdiagError) as caught:
        parameters.parse_window(window)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text())
)


@given(ANYTHING)
def test_any_window_is_seconds_or_one_sentence(window: object) -> None:
    said = ""
    try:
        assert 1 <= parameters.parse_window(window) <= 86400
    except FleetdiagError as error:
        said = str(error)
    assert "\n" not in said


@given(st.dictionaries(st.sampled_from(list(DECLARED)), ANYTHING))
def test_what_is_accepted_staprun_can_pass(values: dict[str, object]) -> None:
    try:
        checked = parameters.check(probe(), values)
    except FleetdiagError:
        return
    load, arguments = parameters.split(probe(), checked)
    for text in (*map(str, load.values()), *arguments):
        assert re.fullmatch(r"[!-~]*", text)
        assert not set(text) & set("\"'\\ ")


def script(least: int = 0) -> Probe:
    return probe_from_manifest(
        "ex_io_x",
        {
            "title": "example:io/x",
            "description": "A.",
            "question": "A?",
            "output": "auto",
            "cost": "low",
            "parameters": {
                "args": {
                    "type": "words",
                    "default": "",
                    "min": least,
                    "when": "compile",
                    "description": "SystemTap's own check gives: 0x08 100",
                },
                "depth": {"type": "int", "default": 3, "description": "It."},
            },
        },
    )


@pytest.mark.parametrize(
    ("given_value", "arguments"),
    [
        ("", []),
        ("a 'b c' 0x08", ["a", "b c", "0x08"]),
        ("'kernel.function(\"*@fs/proc*.c\")'", ['kernel.function("*@fs/proc*.c")']),
        (["a", "b c"], ["a", "b c"]),
        ("'/var/www/*' b", ["/var/www/*", "b"]),
        (100, ["100"]),
        ("'$return < 0'", ["$return < 0"]),
    ],
)
def test_words_are_arguments_one_by_one(given_value: object, arguments: list[str]) -> None:
    checked = parameters.check(script(), {"args": given_value})
    assert parameters.split(script(), checked) == ({"depth": 3}, arguments)


@pytest.mark.parametrize(
    ("given_value", "said"),
    [
        (
            "one",
            "args: needs 2 arguments, 1 given; write example:io/x.args='...' (SystemTap's own check gives: 0x08 100)",
        ),
        ("a 'b", "holds a quote that does not end"),
        ("a\nb c", "is not one line of ASCII text"),
        ("a \u2603", "is not one line of ASCII text"),
        ("a -g", "-g would be an option of stap"),
        ("a 'probe begin { system(1) }'", "runs a command on the host"),
        ("a '%{ x %}'", "holds C code"),
        ("'/var/*' '%{ x %}' '*/'", "holds C code"),
        ("system '(1)'", "runs a command on the host"),
    ],
)
def test_words_that_cannot_be_arguments(given_value: object, said: str) -> None:
    with pytest.raises(FleetdiagError, match=re.escape(said)) as caught:
        parameters.check(script(2), {"args": given_value})
    assert str(caught.value).startswith("probe example:io/x: parameter args: ")


def test_arguments_that_are_needed_have_to_be_given() -> None:
    with pytest.raises(FleetdiagError, match="needs 2 arguments, none given"):
        parameters.check(script(2), {})
    assert parameters.check(script(0), {})["args"] == ""


def test_a_probe_is_named_as_the_user_did() -> None:
    given_values = parameters.parse_assignments(["example:io/x.args=a b", "./my.stp.depth=5"])
    assert given_values == {"example:io/x": {"args": "a b"}, "./my.stp": {"depth": "5"}}
    parameters.check_names([script()], {"example:io/x": {}, "ex_io_x": {}})
    assert parameters.of_probe(script(), given_values) == {"args": "a b"}
    assert parameters.of_probe(script(), {"ex_io_x": {"depth": 1}}) == {"depth": 1}
    with pytest.raises(
        FleetdiagError, match=r"probe ./my.stp: it is not part of this sweep \(example:io/x\)"
    ):
        parameters.check_names([script()], given_values)


def test_script_and_arguments_are_checked_together(tmp_path: Path) -> None:
    path = tmp_path / "x.stp"
    path.write_text('global x\nprobe begin { x = $1 "*/ 0; system(@2) //"\n println(x) }')
    probe = dataclasses.replace(script(2), unmodified=True, script=path)
    with pytest.raises(FleetdiagError, match=re.escape("line 2 of the script system() runs a command")):
        parameters.check(probe, {"args": "'/*' id"})
    assert parameters.check(probe, {"args": "1 id"})["args"] == "1 id"
