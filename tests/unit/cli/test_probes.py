# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes ...` as a person runs it; what needs a host is in tests/integration/test_probes_dev.py."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import command_line, environment

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from fleetdiag.probes import listing

FleetDiag = Callable[..., Any]


@pytest.fixture
def own(fleetdiag: FleetDiag, home: Path) -> Path:
    """A probe of one's own in the catalog `mine`, with all that was to do done."""
    assert fleetdiag("probes", "new", "my_calls", "--catalog", "mine").returncode == 0
    folder = home / "mine" / "my_calls"
    finish(folder)
    return folder


def finish(folder: Path) -> None:
    """Do what a new folder says is to do."""
    manifest, script = folder / "probe.yml", folder / f"{folder.name}.stp"
    text = manifest.read_text().replace('"TODO: which question does it answer?"', "Who calls most?")
    manifest.write_text(re.sub(r'"TODO: [^"]*"', "Calls of a process.", text))
    script.write_text(re.sub(r"// TODO: .*", "// Done.", script.read_text()))


def test_the_list_has_every_shipped_probe_once_by_topic(fleetdiag: FleetDiag) -> None:
    result = fleetdiag("probes")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == fleetdiag("probes", "list").stdout
    probes = [line.split(maxsplit=2) for line in result.stdout.splitlines() if line.startswith("  ")]
    assert sorted(name for name, _, _ in probes) == catalog.names([catalog.shipped()])
    for name, cost, question in probes:
        probe = catalog.load_probe(catalog.shipped() / name)
        assert (cost, question) == (probe.cost, probe.question)
    topics = [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]
    assert len(topics) == len(set(topics))


def test_the_list_says_whose_a_probe_is(fleetdiag: FleetDiag, home: Path, own: Path) -> None:
    result = fleetdiag("probes", "--catalog", "mine")
    assert f"  my_calls  medium  Who calls most?  [{home}/mine]\n" in re.sub(
        r" {2,}medium", "  medium", result.stdout
    )
    (listed,) = [
        entry
        for entry in json.loads(fleetdiag("probes", "list", "--json", "--catalog", "mine").stdout)
        if entry["name"] == "my_calls"
    ]
    assert (listed["origin"], listed["folder"]) == (f"{home}/mine", str(own))
    shipped = json.loads(fleetdiag("probes", "--json").stdout)
    assert {entry["origin"] for entry in shipped} == {"shipped"}
    assert [entry["name"] for entry in shipped] == catalog.names([catalog.shipped()])


def test_a_catalog_said_before_and_one_said_after_the_command(fleetdiag: FleetDiag, own: Path) -> None:
    fleetdiag("probes", "new", "other", "--catalog", "more")
    finish(own.parent.parent / "more" / "other")
    listed = fleetdiag("probes", "--catalog", "mine", "list", "--catalog", "more").stdout
    assert "my_calls" in listed
    assert "other" in listed


def test_catalogs_of_the_environment_and_the_configuration(home: Path, own: Path) -> None:
    def listed(**variables: str) -> str:
        return subprocess.run(
            command_line("probes"),
            cwd=home,
            env={**environment(home), **variables},
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    assert "my_calls" not in listed()
    assert "my_calls" in listed(FLEETDIAG_CATALOGS=f":{own.parent}")
    (home / ".config" / "fleetdiag").mkdir(parents=True)
    (home / ".config" / "fleetdiag" / "config.toml").write_text('catalogs = ["~/mine"]\n')
    assert "my_calls" in listed()
    assert "my_calls" in listed(FLEETDIAG_CATALOGS=str(own.parent))


def test_the_playbook_knows_the_same_catalogs(home: Path, own: Path) -> None:
    """Also without the command: sweep_create asks for them itself."""
    root = Path(__file__).resolve().parents[3]
    variables = {
        **environment(home),
        "FLEETDIAG_CATALOGS": str(own.parent),
        "ANSIBLE_COLLECTIONS_PATH": str(root / ".collections"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    words = [
        "ansible-playbook",
        "fleetdiag.systemtap.sweep",
        "-i",
        "hosts.yml",
        "-e",
        '{"probes": ["my_calls"], "window": 1}',
    ]
    done = subprocess.run(words, cwd=home, env=variables, capture_output=True, text=True, check=False)
    (run_dir,) = (home / "state" / "fleetdiag" / "runs").iterdir()
    sweep = json.loads((run_dir / "sweep.json").read_text())
    assert [probe["name"] for probe in sweep["probes"]] == ["my_calls"], done.stdout
    assert sweep["catalogs"] == [str(own.parent)]


def test_one_bad_probe_does_not_hide_the_others(fleetdiag: FleetDiag, own: Path) -> None:
    (own / "probe.yml").write_text("cost: low\n")
    result = fleetdiag("probes", "--catalog", "mine")
    assert result.returncode == 2
    assert "slow_open" in result.stdout
    assert result.stderr == f"fleetdiag: {own}/probe.yml:1: description: is missing; add it\n"


def test_a_name_in_two_catalogs_names_both_folders(fleetdiag: FleetDiag, home: Path, own: Path) -> None:
    (home / "theirs").mkdir()
    other = own.rename(home / "theirs" / "slow_open")
    shipped = catalog.shipped() / "slow_open"
    for words in (("list",), ("show", "slow_open"), ("check", "slow_open")):
        result = fleetdiag("probes", "--catalog", "theirs", *words)
        assert result.returncode == 2
        assert f"slow_open: is in two catalogs, {shipped} and {other}; rename one" in result.stderr
    result = fleetdiag("sweep", "-i", "hosts.yml", "--catalog", "theirs", "--probe", "slow_open")
    assert result.returncode == 2
    assert f"{shipped} and {other}" in result.stderr
    result = fleetdiag("probes", "check", "theirs/slow_open", "--catalog", "theirs")
    assert f"{other}: {shipped} has the same name; rename one of them\n" in result.stdout


@pytest.mark.parametrize("name", catalog.names([catalog.shipped()]))
def test_what_is_shown_of_a_probe_is_all_that_its_manifest_says(name: str) -> None:
    probe = catalog.load_probe(catalog.shipped() / name)
    shown = "\n".join(listing.shown(probe))
    texts = [probe.description, probe.question, probe.cost, f"--probe {name}"]
    texts += [
        word for parameter in probe.parameters.values() for word in (parameter.name, parameter.description)
    ]
    for table in probe.tables.values():
        texts += [table.name, table.description]
        texts += [
            word for column in (*table.columns, *table.derived) for word in (column.name, column.description)
        ]
    assert [text for text in texts if text not in shown] == []


def test_show(fleetdiag: FleetDiag) -> None:
    probe = catalog.load_probe(catalog.shipped() / "slow_open")
    result = fleetdiag("probes", "show", "slow_open")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == listing.shown(probe)
    assert json.loads(fleetdiag("probes", "show", "slow_open", "--json").stdout)["manifest"] == probe.manifest


def test_show_takes_a_folder(fleetdiag: FleetDiag, own: Path) -> None:
    result = fleetdiag("probes", "show", "mine/my_calls")
    assert result.returncode == 0
    assert f"--catalog {own.parent}" in result.stdout
    assert fleetdiag("probes", "show", "mine").returncode == 2


def test_text_is_wrapped_to_the_terminal(home: Path) -> None:
    """A terminal of 60 columns; elsewhere each probe is one line, for grep."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command_line("probes", "show", "nettop"),
        cwd=home,
        env={**environment(home), "COLUMNS": "60"},
        stdout=slave,
    )
    os.close(slave)
    output = b""
    try:
        while piece := os.read(master, 65536):
            output += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(60) == 0
    lines = output.decode().splitlines()
    assert len(lines) > 20
    assert max(len(line) for line in lines if "/" not in line and "--probe" not in line) <= 60


def test_systemtaps_examples(fleetdiag: FleetDiag, home: Path) -> None:
    result = fleetdiag("probes", "list", "--examples")
    assert (result.returncode, result.stdout) == (2, "")
    assert "are not known here yet; a sweep of one asks its builder" in result.stderr
    folder = home / "cache" / "fleetdiag" / "examples" / "5.6"
    (folder / "io").mkdir(parents=True)
    (folder / "origin.txt").write_text("systemtap-doc 5.6\n")
    (folder / "index.txt").write_text("network/nettop\nio/iotop\n")
    assert fleetdiag("probes", "list", "--examples").stdout == "example:io/iotop\nexample:network/nettop\n"
    (folder / "io" / "iotop.stp").write_text(
        "global n\nprobe timer.s(5) { print(n) }\nprobe vfs.read { n++ }\n"
    )
    (folder / "io" / "iotop.meta").write_text("title: I/O of processes\n")
    result = fleetdiag("probes", "show", "example:io/iotop")
    assert (result.returncode, result.stderr) == (0, "")
    assert "--probe example:io/iotop" in result.stdout
    assert "I/O of processes" in result.stdout


def test_a_new_probe_is_right_once_all_is_done(fleetdiag: FleetDiag, home: Path) -> None:
    result = fleetdiag("probes", "new", "my_calls", "--catalog", "deep/mine")
    folder = home / "deep" / "mine" / "my_calls"
    assert result.returncode == 0
    assert str(folder) in result.stdout
    assert {path.name for path in folder.iterdir()} == {"probe.yml", "my_calls.stp", "sample.out"}
    assert "NAME" not in "".join(path.read_text() for path in folder.iterdir())

    result = fleetdiag("probes", "check", str(folder))
    assert result.returncode == 2
    todo = [(line.split(":")[0], int(line.split(":")[1])) for line in result.stdout.splitlines()]
    said = [
        (str(path), number)
        for path in (folder / "probe.yml", folder / "my_calls.stp")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\bTODO:", line)
    ]
    assert todo == said
    sweep = fleetdiag("sweep", "-i", "hosts.yml", "--catalog", str(folder.parent), "--probe", "my_calls")
    assert sweep.returncode == 2
    assert "probe.yml:3: description: is not finished" in sweep.stderr

    finish(folder)
    result = fleetdiag("probes", "check", str(folder))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(
        f"{folder}: no fault; its sample.out is still the scaffold's: record a real one"
    )
    sample = folder / "sample.out"
    sample.write_text(sample.read_text().replace("sshd", "crond"))
    assert fleetdiag("probes", "check", str(folder)).stdout == f"{folder}: no fault\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("My-Probe", "--catalog", "mine"), "'My-Probe' is not a probe name; use a letter"),
        (("smoke", "--catalog", "mine"), "smoke is a name fleetdiag uses itself; choose another"),
        (("slow_open", "--catalog", "mine"), "probe slow_open: there is one in "),
        (("my_calls",), "no catalog of your own is known; name a directory with --catalog DIR"),
        (("my_calls", "--catalog", "a", "--catalog", "b"), "--catalog: 2 are given; name the one"),
        (("my_calls", "--catalog", "hosts.yml"), "hosts.yml: File exists; name a directory"),
    ],
)
def test_what_cannot_be_made(fleetdiag: FleetDiag, home: Path, words: tuple[str, ...], said: str) -> None:
    result = fleetdiag("probes", "new", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(home.glob("*/*/probe.yml"))


def test_a_probe_is_made_once(fleetdiag: FleetDiag, own: Path) -> None:
    before = (own / "probe.yml").read_text()
    result = fleetdiag("probes", "new", "my_calls", "--catalog", "mine")
    assert result.returncode == 2
    assert f"there is one in {own.parent} already; choose another name" in result.stderr
    assert (own / "probe.yml").read_text() == before


def test_check_takes_folders_catalogs_names_and_nothing(fleetdiag: FleetDiag, own: Path) -> None:
    for words, count in ((("mine/my_calls", "slow_open"), 2), (("mine", "./mine/my_calls"), 1)):
        result = fleetdiag("probes", "check", *words)
        assert result.returncode == 0, result.stdout
        assert result.stdout.count(": no fault") == count
    result = fleetdiag("probes", "check", "--catalog", "mine")
    assert f"{own}: no fault" in result.stdout
    assert f"{len(catalog.names([catalog.shipped()])) + 1} probes, " in result.stdout.splitlines()[-1]


def test_check_says_every_fault_with_file_and_line(fleetdiag: FleetDiag, own: Path) -> None:
    script = own / "my_calls.stp"
    script.write_text(
        script.read_text() + 'probe end { system("ls") }\nprobe end { printf("%s", execname()) }\n'
    )
    (own / "sample.out").write_text("")
    number = script.read_text().count("\n")
    result = fleetdiag("probes", "check", "mine")
    assert result.returncode == 2
    lines = result.stdout.splitlines()
    assert any(
        line.startswith(f"{script}:{number - 1}: system() runs a command on the host; ") for line in lines
    )
    assert any(line.startswith(f"{script}:{number}: prints execname() as it is") for line in lines)
    assert any(line.startswith(f"{own}/sample.out:1: holds no record @armed") for line in lines)
    sweep = fleetdiag("sweep", "-i", "hosts.yml", "--catalog", "mine", "--probe", "my_calls")
    assert sweep.returncode == 2
    assert f"{script}:{number - 1}: system() runs a command on the host; " in sweep.stderr
    assert f"fleetdiag probes check {own})" in sweep.stderr


@pytest.mark.parametrize(
    "target", ["nowhere/at_all", "hosts.yml", "nope", "~nobody/x", "\x1b[2J", "mine/../hosts.yml", ""]
)
def test_check_of_what_is_no_probe(fleetdiag: FleetDiag, target: str) -> None:
    result = fleetdiag("probes", "check", target)
    assert result.returncode == 2
    assert len((result.stdout + result.stderr).splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


DEV = ("probes", "dev", "slow_open", "-i", "hosts.yml", "--host", "web1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("probes", "dev", "slow_open", "-i", "hosts.yml"), "required: --host"),
        (("probes", "dev", "slow_open", "--host", "web1"), "no inventory is named: give -i/--inventory INV"),
        (("probes", "dev", "slow_opn", "-i", "hosts.yml", "--host", "web1"), "did you mean slow_open"),
        ((*DEV, "--host", "web9"), "pattern 'web9' matches no host"),
        (
            ("probes", "dev", "slow_open", "-i", "web1,web2,", "--host", "web*"),
            "matches 2 hosts; name one of web1, web2",
        ),
        ((*DEV, "--lines", "0"), "--lines 0: is out of range"),
        ((*DEV, "--window", "soon"), "window soon: is not a time"),
        ((*DEV, "--param", "treshold_ms=3"), "parameter treshold_ms=3: is not of the form"),
        ((*DEV, "--param", "threshold_ms=0"), "parameter threshold_ms: 0 is out of range"),
        ((*DEV, "--param", "slow_open.threshold_ms=x"), "parameter threshold_ms: x is not a whole number"),
    ],
)
def test_dev_refuses_bad_input_before_any_host_is_touched(
    fleetdiag: FleetDiag, home: Path, words: tuple[str, ...], said: str
) -> None:
    result = fleetdiag(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (home / "state" / "fleetdiag").exists()


def test_dev_of_a_host_that_does_not_answer(fleetdiag: FleetDiag, home: Path, own: Path) -> None:
    result = fleetdiag("probes", "dev", "./mine/my_calls", "-i", "hosts.yml", "--host", "web1", "--record")
    assert result.returncode == 3, result.stderr
    assert "my_calls: gave nothing on web1: unreachable" in result.stdout
    (run_dir,) = (home / "state" / "fleetdiag" / "runs").iterdir()
    assert f"run directory: {run_dir}\n" in result.stdout
    assert "Traceback" not in result.stderr


def test_a_sweep_takes_a_probe_by_its_folder(fleetdiag: FleetDiag, home: Path, own: Path) -> None:
    result = fleetdiag(
        "sweep", "-i", "hosts.yml", "--probe", "./mine/my_calls", "--probe", "nettop", "--window", "1s"
    )
    assert result.returncode == 3, result.stderr
    (run_dir,) = (home / "state" / "fleetdiag" / "runs").iterdir()
    sweep = json.loads((run_dir / "sweep.json").read_text())
    assert [probe["name"] for probe in sweep["probes"]] == ["my_calls", "nettop"]
    assert sweep["catalogs"] == [str(own.parent)]
    result = fleetdiag("sweep", "-i", "hosts.yml", "--probe", "./mine")
    assert result.returncode == 2
    assert f"{own.parent}: the folder holds no probe.yml; add one" in result.stderr
