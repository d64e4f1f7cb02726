# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manifests import GOOD, make

from fleetdiag.probes import folder_check

NONCE = folder_check.NONCE
ARMED = f"{NONCE}\t1\t@armed\t0\t1700000000000\n"
START = f"{NONCE}\t2\t@start\t0\t1700000001000\n"
ROW = f"{NONCE}\t3\tslow_files\t900\thttpd\t/srv/a\\tb\t2000000\t12\n"
END = f"{NONCE}\t4\t@end\t1000\t1700000002000\twindow\n"
SAMPLE = ARMED + START + ROW + END


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder without a fault."""
    folder = make(tmp_path)
    (folder / "sample.out").write_text(SAMPLE)
    return folder


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def swap(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


def test_a_folder_without_a_fault(folder: Path) -> None:
    assert folder_check.faults(folder) == []


def test_all_faults_of_all_three_files_at_once(folder: Path) -> None:
    """Those of the sample only once the manifest is right: it says what a row is."""
    change(folder, "probe.yml", "Also pipes.", "TODO")
    change(folder, "probe.yml", "sort: -seconds", "sort: -second")
    change(folder, "probe.yml", "merge: max", "merge: last, rate: true")
    change(folder, "probe.yml", "unit: KB", "unit: kB")
    change(folder, "slow_open.stp", "probe fd.close", "// TODO: more\nprobe fd.close")
    with (folder / "slow_open.stp").open("a") as script:
        script.write('probe end { system("x") }\n')
    found = [line.removeprefix(f"{folder}/") for line in folder_check.faults(folder)]
    assert [line.split(": ")[0] for line in found] == [
        "probe.yml:12",
        "probe.yml:21",
        "probe.yml:22",
        "probe.yml:17",
        "slow_open.stp:2",
        "slow_open.stp:7",
    ]
    assert all("; " in line for line in found)


def test_all_faults_in_the_form_of_a_manifest(folder: Path) -> None:
    change(folder, "probe.yml", "cost: low", "costs: low\ntopics: io")
    change(folder, "probe.yml", "max: 3600000", "max: high")
    found = [line.split(": ", 1)[1] for line in folder_check.faults(folder)]
    assert found == [
        "costs: is not known here; did you mean cost?",
        "topics: is not known here; did you mean topic?",
        "parameters.threshold_ms.max: is not a whole number; correct it",
        "cost: is missing; add it",
    ]


@pytest.mark.parametrize(
    ("sample", "line", "said"),
    [
        (SAMPLE.replace("\t12\n", "\n"), 3, "3 fields instead of 4; script, manifest and sample must agree"),
        (SAMPLE.replace("\t12\n", "\t-2\n"), 3, "size is no possible size; script"),
        (ARMED + START + "hello\n" + END, 3, "not a record of this session; script"),
        (SAMPLE[:-1], 4, "cut off; script"),
        (SAMPLE.replace(ROW, ""), 3, "1 record of those before this line missing; record one"),
        (SAMPLE.replace(ROW, ""), 3, "there is no row of table slow_files; record one"),
        (SAMPLE.replace("slow_files", "files"), 3, "unknown table; script"),
        (SAMPLE.replace(START, ""), 3, "the window never began (no record @start); record one"),
        (SAMPLE.replace(END, ""), 3, "the session did not end (no record @end); record one"),
        ("", 1, "holds no record @armed, so it is no session's output; record one"),
    ],
)
def test_a_sample_that_does_not_fit(folder: Path, sample: str, line: int, said: str) -> None:
    (folder / "sample.out").write_text(sample)
    found = folder_check.faults(folder)
    assert any(fault.startswith(f"{folder}/sample.out:{line}: {said}") for fault in found), found
    assert all("\n" not in fault for fault in found)


def test_many_rejected_lines_are_counted(folder: Path) -> None:
    (folder / "sample.out").write_text(ARMED + START + "x\n" * 100 + ROW + END)
    found = folder_check.faults(folder)
    assert len(found) == folder_check.MAX_FAULTS + 1
    assert "sample.out: 90 more lines are rejected; script" in found[-1]


@pytest.mark.parametrize(
    ("output", "lines", "said"),
    [
        ("text", "hello\n", ""),
        ("text", "", "there is no line of text"),
        ("calltrace", "  0 ls(1):->f\n  3 ls(1):<-f\n", ""),
        ("calltrace", "", "there is no call"),
        ("calltrace", "hello\n", "script, manifest and sample must agree"),
    ],
)
def test_samples_of_other_forms(tmp_path: Path, output: str, lines: str, said: str) -> None:
    manifest = f"description: A.\nquestion: A?\noutput: {output}\ncost: low\n"
    folder = make(tmp_path, manifest=manifest)
    (folder / "slow_open.stp").write_text('probe fd.close { printf("x\\n") }\n')
    (folder / "sample.out").write_text(ARMED + START + lines + END.replace("\t4\t", "\t3\t"))
    found = folder_check.faults(folder)
    assert any(said in fault for fault in found) if said else found == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "probe.yml").unlink(), ": the folder holds no probe.yml; "),
        (lambda folder: (folder / "slow_open.stp").unlink(), "/slow_open.stp: is missing; "),
        (lambda folder: swap(folder / "sample.out", os.mkfifo), "/sample.out: is no file; record one"),
        (lambda folder: swap(folder / "sample.out", os.mkdir), "/sample.out: is no file; record one"),
        (lambda folder: swap(folder / "slow_open.stp", os.mkfifo), "/slow_open.stp: is missing; "),
        (lambda folder: swap(folder / "probe.yml", os.mkfifo), ": the folder holds no probe.yml; "),
        (
            lambda folder: (folder / "sample.out").unlink(),
            "/sample.out: is missing; record one: fleetdiag probes dev",
        ),
        (
            lambda folder: (folder / "slow_open.stp").write_bytes(b"\xff"),
            "/slow_open.stp:1: is not UTF-8 text; ",
        ),
        (lambda folder: (folder / "sample.out").write_bytes(b"x" * 2_000_000), "/sample.out: is larger than"),
        (
            lambda folder: (folder / "probe.yml").write_bytes(b"\xff"),
            "/probe.yml:1: manifest: is not UTF-8 text; ",
        ),
        (
            lambda folder: (folder / "probe.yml").write_bytes(b"- a"),
            "/probe.yml:1: manifest: is not a mapping; ",
        ),
    ],
)
def test_files_that_are_not_what_they_should_be(
    folder: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(folder)
    (fault,) = folder_check.faults(folder)
    assert fault.startswith(f"{folder}{said}")


def test_folders_that_are_none(tmp_path: Path) -> None:
    assert "there is no such probe folder" in folder_check.faults(tmp_path / "absent")[0]
    assert "is not a probe name" in folder_check.faults(tmp_path / "Upper")[0]


@given(
    name=st.sampled_from(["probe.yml", "slow_open.stp", "sample.out"]),
    place=st.integers(0, 2000),
    new=st.binary(max_size=9),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_folder_has_faults_or_none(folder: Path, name: str, place: int, new: bytes) -> None:
    path = folder / name
    before = path.read_bytes()
    try:
        path.write_bytes(before[:place] + new + before[place + len(new) :])
        assert all(
            "\n" not in fault and fault.startswith(str(folder)) for fault in folder_check.faults(folder)
        )
    finally:
        path.write_bytes(before)


def test_the_nonce_of_a_sample() -> None:
    assert folder_check.nonce_of(b"text\n" + SAMPLE.encode()) == NONCE
    assert folder_check.nonce_of(SAMPLE.encode().replace(b"@armed", b"@alarmed")) == ""
    assert GOOD
