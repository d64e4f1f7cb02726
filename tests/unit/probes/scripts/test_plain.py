# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that are only a script. The folder of examples is made here, in the form of SystemTap's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import plain

LIVE = 'probe kernel.trace("sched_switch") { n++ }\n'
META = """\
title: Periodically Print IO Activity
name: {name}.stp
keywords: io
description: Every five seconds print what TODO did.
 this line goes on
test_check: {check}
test_installcheck: stap {name}.stp -T 1
"""


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A folder of examples with one that is fit to run, and helpers to add others."""
    folder = tmp_path / "examples" / "5.6"
    add(folder, "io/iotop", LIVE)
    (folder / plain.ORIGIN).write_text("systemtap-doc of SystemTap 5.6, from builder\n")
    (folder / "index.txt").write_text("io/iotop\nio/inodewatch\nnetwork/socktop\n")
    return folder


def add(folder: Path, name: str, script: str, check: str = "", arguments: str = "") -> None:
    topic, short = name.split("/")
    (folder / topic).mkdir(parents=True, exist_ok=True)
    (folder / topic / f"{short}.stp").write_text(script)
    meta = META.format(name=short, check=check or f"stap -p4 {short}.stp {arguments}")
    (folder / topic / f"{short}.meta").write_text(meta)


def test_an_example_is_a_probe_with_what_its_meta_file_says(examples: Path) -> None:
    probe = plain.load("example:io/iotop", examples)
    assert (probe.name, probe.title, probe.topic) == ("ex_io_iotop", "example:io/iotop", "io")
    assert probe.description == "Periodically Print IO Activity: Every five seconds print what ... did."
    assert probe.question == "Periodically Print IO Activity: what does SystemTap's example show?"
    assert probe.output == "auto"
    assert probe.unmodified
    assert not probe.exits
    assert not probe.requires_debuginfo
    assert probe.parameters == {}
    assert probe.script == examples / "io" / "iotop.stp"
    assert probe.origin == "systemtap-doc of SystemTap 5.6, from builder, io/iotop.stp"
    recorded = catalog.probe_from_manifest(probe.name, probe.manifest)
    assert (recorded.title, recorded.unmodified, recorded.limits) == (probe.title, True, probe.limits)


def test_a_file_is_a_probe_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "My watch-2.stp").write_text(LIVE + "probe timer.s(9) { exit() }")
    monkeypatch.chdir(tmp_path)
    probe = plain.load("./My watch-2.stp", None, debuginfo=True)
    assert (probe.name, probe.title) == ("stp_my_watch_2", "./My watch-2.stp")
    assert probe.exits
    assert probe.requires_debuginfo
    assert probe.origin == str(tmp_path / "My watch-2.stp")


@pytest.mark.parametrize(
    ("name", "is_script"),
    [
        ("slow_open", False),
        ("example:io/iotop", True),
        ("./x", True),
        ("x.stp", True),
        ("/etc/x.stp", True),
    ],
)
def test_what_names_a_script(name: str, is_script: bool) -> None:
    assert plain.is_script(name) is is_script


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("example:iotop", "is not the name of an example; write example:TOPIC/NAME"),
        ("example:../etc/passwd", "is not the name of an example"),
        ("example:io/../../x", "is not the name of an example"),
        (
            "example:io/iotopp",
            "there is no such example in systemtap-doc of SystemTap 5.6, from builder, did you mean",
        ),
    ],
)
def test_a_name_that_is_none(examples: Path, name: str, said: str) -> None:
    with pytest.raises(FleetdiagError, match=re.escape(said.replace(", did", "; did"))):
        plain.load(name, examples)


def test_examples_that_were_never_brought(tmp_path: Path) -> None:
    with pytest.raises(FleetdiagError, match="a sweep brings them from its builder"):
        plain.load("example:io/iotop", None)
    with pytest.raises(FleetdiagError, match="there is no such script"):
        plain.load(str(tmp_path / "none.stp"), None)
    with pytest.raises(FleetdiagError, match="is a folder; give its catalog with --catalog"):
        plain.load(str(tmp_path), None)


@pytest.mark.parametrize(
    ("script", "check", "said"),
    [
        (LIVE, "stap -g -p4 x.stp", "needs guru mode"),
        (LIVE, "stap -gp4 x.stp -x $$", "needs guru mode"),
        (LIVE, "stap -wgp4 x.stp", "needs guru mode"),
        (LIVE, "stap --runtime=bpf -p4 x.stp", "is for SystemTap's BPF runtime"),
        (LIVE, "stap -p4 x.stp -c 'ls -l'", "watches a command that stap itself starts"),
        ("%{ int c; %}\n" + LIVE, "", "may not run: line 1 holds C code"),
        (LIVE + 'probe end { system("ls") }', "", "may not run: line 2 system() runs a command on the host"),
        (LIVE + '"', "", "may not run: line 2 the text that begins here does not end"),
    ],
)
def test_examples_that_may_not_run(examples: Path, script: str, check: str, said: str) -> None:
    add(examples, "io/x", script, check)
    with pytest.raises(FleetdiagError, match=re.escape(said)) as caught:
        plain.load("example:io/x", examples)
    assert str(caught.value).startswith("example:io/x: ")


@pytest.mark.parametrize(
    "check", ["stap -p4 x.stp", "stap -p4 --all-modules x.stp", "stap -wp4 x.stp --all-modules"]
)
def test_options_that_a_check_gives_are_no_arguments(examples: Path, check: str) -> None:
    add(examples, "io/x", LIVE, check)
    assert plain.load("example:io/x", examples).parameters == {}


def test_a_wrapper_is_no_script(examples: Path) -> None:
    (examples / "network").mkdir()
    (examples / "network" / "socktop").write_text("#!/bin/sh\nstap -e ...\n")
    with pytest.raises(FleetdiagError, match="is a program that calls stap, not a script"):
        plain.load("example:network/socktop", examples)


@pytest.mark.parametrize(
    ("script", "arguments", "least"),
    [
        (LIVE + 'probe $1 { print(@2, "$3") }', "vm.pagefault x", 2),
        (LIVE + "probe begin { if (argc > 0) x = argv_1 }", "", 0),
        (LIVE + "probe begin { x = argv[1] }", "127.0.0.1", 1),
        (LIVE + "%( $# > 0 %? probe $1 {} %)", "", 0),
        ("probe $1 {} %( $# > 1 %? probe $2 {} %)", "vm.pagefault syscall.read", 1),
    ],
)
def test_arguments_that_a_script_takes(examples: Path, script: str, arguments: str, least: int) -> None:
    add(examples, "io/x", script, arguments=arguments)
    args = plain.load("example:io/x", examples).parameters["args"]
    assert (args.type, args.when, args.min) == ("words", "compile", least)
    assert arguments in args.description


def test_globals_that_a_script_sets_can_be_set_to_something_else(examples: Path) -> None:
    text = 'global sloth = 50, name = "nginx", spaced = "a b", table[10], LOUD = 3, fd_x = 1, unset\n' + LIVE
    add(examples, "io/x", text)
    found = plain.load("example:io/x", examples).parameters
    assert {name: (parameter.type, parameter.default) for name, parameter in found.items()} == {
        "sloth": ("int", 50),
        "name": ("string", "nginx"),
    }


def test_names_are_short_safe_and_different(examples: Path, tmp_path: Path) -> None:
    add(examples, "io/netfilter_summary.of-all-there-is", LIVE)
    long = plain.load("example:io/netfilter_summary.of-all-there-is", examples).name
    assert re.fullmatch(r"ex_io_netfilter_summary_[0-9a-f]{6}", long)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.stp").write_text(LIVE)
    twins = [plain.load(str(tmp_path / folder / "x.stp"), None) for folder in ("a", "b")]
    assert [probe.name for probe in twins] == ["stp_x", "stp_x"]
    first, second = (probe.name for probe in plain.distinct(twins))
    assert first == "stp_x"
    assert re.fullmatch(r"stp_x_[0-9a-f]{6}", second)
    catalog.check_name(second, "it")


def test_the_newest_examples_in_the_cache_count(examples: Path, tmp_path: Path) -> None:
    assert plain.in_cache(tmp_path / "nowhere") is None
    for version in ("5.10", "4.9"):
        (tmp_path / "examples" / version).mkdir()
        (tmp_path / "examples" / version / plain.ORIGIN).write_text("x")
    assert plain.in_cache(tmp_path) == tmp_path / "examples" / "5.10"
    assert examples.name == "5.6"


@pytest.mark.parametrize("text", ["", ":::", "a" * 100_000, "title:\ntitle: one\ntitle: two\x1b[2J\n"])
def test_any_meta_file_can_be_read(text: str) -> None:
    assert plain.read_meta(text).get("title", "") in ("", "one")


@pytest.mark.parametrize(
    ("script", "points"),
    [
        ("probe begin { println(1) }\nprobe timer.s(5), end { println(2) }\n", "only begin, timer.s(5), end"),
        ("probe oneshot { println(1) }\n", "only oneshot"),
        ("global n\n", "nothing"),
    ],
)
def test_a_script_that_watches_nothing_is_refused_before_anything_is_compiled(
    tmp_path: Path, script: str, points: str
) -> None:
    path = tmp_path / "my.stp"
    path.write_text(script)
    with pytest.raises(FleetdiagError, match=r"my\.stp: has no live probe point: it probes") as caught:
        plain.load(str(path), None)
    assert f"it probes {points}, so" in str(caught.value)
    for live in ("timer.profile", "syscall.*?", "$1", "perf.sw.cpu_clock"):
        path.write_text(f"{script}probe {live} {{ println(3) }}\n")
        plain.load(str(path), None)


def test_texts_of_a_script_are_as_long_as_systemtap_has_them(tmp_path: Path) -> None:
    script = tmp_path / "execs.stp"
    script.write_text('probe nd_syscall.execve.return { printf("%s\\n", cmdline_str()) }\n')
    assert plain.load(str(script), None).limits.string_length == 512
