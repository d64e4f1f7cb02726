# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs of scripts as people write them, of which a figure was once wrong. cases/ holds what three hosts printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign import Fleet, read_fleet

CASES = Path(__file__).with_name("cases")


def case(number: str) -> Fleet:
    """Return the case whose folder begins with this number."""
    (folder,) = CASES.glob(f"{number}-*")
    printed = {path.stem: path.read_text() for path in sorted(folder.glob("*.out"))}
    return read_fleet(printed, (folder / "probe.stp").read_text())


# --- a table begins at its header and ends at the first line that is none of its rows


def test_a_table_that_only_the_sick_host_prints_is_none_of_another() -> None:
    fleet = case("01")
    errors = [layout.table.name for layout in fleet.probe.layouts if "ERRORS" in layout.table.description]
    reads = [layout.table.name for layout in fleet.probe.layouts if "READS" in layout.table.description]
    assert (len(errors), len(reads)) == (1, 1)
    for host in ("web1", "web2", "web3"):
        assert fleet.table(host, reads[0]) == [("nginx", 100), ("mysqld", 50), ("crond", 3)]
    assert fleet.table("web3", errors[0]) == [("mysqld", 7000), ("nginx", 9), ("crond", 1)]


def test_a_table_of_a_host_that_was_not_looked_at_is_text() -> None:
    reads = "PROCESS             READS\nnginx                 100\nmysqld                 50\n\n"
    errors = "PROCESS            ERRORS\nmysqld               7000\nnginx                   9\n"
    printed = {f"web{number:02}": reads for number in range(40)} | {"web99": reads + errors}
    fleet = read_fleet(printed)
    assert fleet.table("web99") == [("nginx", 100), ("mysqld", 50)]
    assert fleet.results["web99"].text_lines == tuple(errors.splitlines())


def test_sections_below_a_table_are_none_of_its_rows() -> None:
    printed = (
        "@@T 5000\nPROCESS             READS\nnginx                 100\nmysqld                 50\n"
        "Top writers:\nnginx                   7\nmysqld                  8\ncrond                   9\n"
        "Top openers:\nnginx                1000\nmysqld               1001\ncrond                1002\n"
    )
    fleet = read_fleet({"a": printed, "b": printed})
    by_table = {name: fleet.table("a", name) for name in fleet.probe.tables}
    assert sorted(by_table.values()) == [
        [("nginx", 7), ("mysqld", 8), ("crond", 9)],
        [("nginx", 100), ("mysqld", 50)],
        [("nginx", 1000), ("mysqld", 1001), ("crond", 1002)],
    ]


def test_the_same_header_under_two_titles_is_two_tables() -> None:
    printed = (
        "@@T 5000\nTop readers\nPROCESS             COUNT\nnginx                 100\nmysqld                 50\n\n"
        "Top writers\nPROCESS             COUNT\nnginx                   7\nmysqld                  8\n\n"
    )
    fleet = read_fleet({"a": printed, "b": printed}, "probe begin {}")
    assert sorted(map(tuple, (fleet.table("a", name) for name in fleet.probe.tables))) == [
        (("nginx", 7), ("mysqld", 8)),
        (("nginx", 100), ("mysqld", 50)),
    ]


@pytest.mark.parametrize("total", ["TOTAL", "Total:", "total"])
@pytest.mark.parametrize("rule", ["", "---------------------------\n"])
def test_a_total_that_the_script_prints_is_no_row(total: str, rule: str) -> None:
    printed = (
        "PROCESS             READS\nnginx                 100\nmysqld                 50\ncrond                   3\n"
        f"{rule}{total:<16}      153\n"
    )
    fleet = read_fleet({"a": printed, "b": printed})
    assert fleet.table("a") == [("nginx", 100), ("mysqld", 50), ("crond", 3)]
    assert [line.split() for line in fleet.results["a"].text_lines] == [[total, "153"]]
    listed = read_fleet({"a": printed.split("\n", 1)[1], "b": printed.split("\n", 1)[1]})
    assert listed.table("a") == [("nginx", 100), ("mysqld", 50), ("crond", 3)]


# --- whether prints add up


def test_delete_of_another_array_forgets_nothing_of_this_one() -> None:
    fleet = case("04")
    assert fleet.sums("web1") == {("nginx",): [600_000], ("php-fpm",): [180_000], ("my app",): [4200]}


def test_a_histogram_that_is_never_deleted_is_not_added_up() -> None:
    fleet = case("03")
    assert {host: sum(v[0] for v in fleet.sums(host).values()) for host in fleet.rows} == {
        "web1": 400,
        "web2": 400,
        "web3": 400,
    }


PRINTS = (
    "@@T 5000\nPROCESS             CALLS\nnginx              {0:>8}\nmysqld             {1:>8}\n\n"
    "@@T 10000\nPROCESS             CALLS\nnginx              {2:>8}\nmysqld             {3:>8}\n\n"
)
_CALLS = 'printf("%s %d", p, calls[p])'


@pytest.mark.parametrize(
    ("script", "figures", "expected", "unclear"),
    [
        # The array that is printed is deleted where it is printed: each print is new.
        (
            f"probe timer.s(5) {{ foreach (p in calls) {_CALLS}; delete calls }}",
            (5, 7, 6, 8),
            (11, 15),
            False,
        ),
        # It is emptied entry by entry.
        (
            f"probe timer.s(5) {{ foreach (p in calls) {{ {_CALLS}; delete calls[p] }} }}",
            (5, 7, 6, 8),
            (11, 15),
            False,
        ),
        # Nothing is deleted, and nothing ever falls: the figures count up.
        (f"probe timer.s(5) {{ foreach (p in calls) {_CALLS} }}", (5, 7, 6, 8), (6, 8), False),
        # Only a comment says delete.
        (
            f"probe timer.s(5) {{ foreach (p in calls) {_CALLS} }} // delete calls",
            (5, 7, 6, 8),
            (6, 8),
            False,
        ),
        # Nothing is known of the script: figures that fall do not count up, those that only rise may.
        ("", (5, 7, 4, 8), (9, 15), False),
        ("", (5, 7, 6, 8), (6, 8), True),
        # A script that deletes nothing prints a figure that falls: then it is no count, whatever its title says.
        (f"probe timer.s(5) {{ foreach (p in calls) {_CALLS} }}", (5, 7, 4, 8), (4, 8), True),
    ],
)
def test_whether_prints_add_up_is_decided_by_the_array_and_the_figures(
    script: str, figures: tuple[int, ...], expected: tuple[int, int], unclear: bool
) -> None:
    counted = "global calls probe syscall.read { calls[execname()]++ } " if script else ""
    fleet = read_fleet({"a": PRINTS.format(*figures)}, counted + script)
    assert fleet.sums("a") == {("nginx",): [expected[0]], ("mysqld",): [expected[1]]}
    assert any("could not be decided" in note for note in fleet.results["a"].notes) is unclear


# --- units


def test_each_value_is_read_by_its_own_unit() -> None:
    fleet = case("05")
    assert [column.type for column in fleet.probe.tables["table"].columns] == ["string", "int", "duration"]
    assert fleet.table("web3") == [
        ("nginx", 92, pytest.approx(0.031)),
        ("mysqld", 41, pytest.approx(0.845)),
        ("crond", 3, pytest.approx(88e-6)),
    ]
    assert fleet.table("web1")[0] == ("nginx", 90, pytest.approx(812e-6))


def test_k_m_and_g_are_numbers() -> None:
    printed = (
        "PROCESS               OPS    BYTES\nnginx                1.2K     3MiB\nmysqld                 50      12K\n"
        "crond                  3M      700\n"
    )
    fleet = read_fleet({"a": printed})
    assert fleet.table("a") == [("nginx", 1200, 3 << 20), ("mysqld", 50, 12 << 10), ("crond", 3_000_000, 700)]


def test_numbers_and_amounts_that_cannot_be_told_apart_stay_text() -> None:
    """Is 950 a time of 950 s, ms or us? No unit says so."""
    printed = "PROCESS             CALLS      AVG\n"
    printed += "nginx                  90    812us\nmysqld                 40      950\n"
    fleet = read_fleet({"a": printed})
    assert [column.type for column in fleet.probe.tables["table"].columns] == ["string", "int", "string"]


def test_a_title_that_is_nothing_but_a_unit_is_a_name() -> None:
    flags = case("17")
    columns = {column.name: column for column in flags.probe.tables["table"].columns}
    assert (columns["s"].type, columns["s"].unit) == ("int", "")
    spaces = "PROCESS                NS    COUNT\n"
    spaces += "nginx          4026531836       12\nmysqld         4026531837        3\n"
    fleet = read_fleet({"a": spaces})
    assert [(c.type, c.role) for c in fleet.probe.tables["table"].columns[1:]] == [
        ("int", "key"),
        ("int", "measure"),
    ]
    timed = "PROCESS            LAT_US  time (ms)\n"
    timed += "nginx               40265         12\nmysqld              40268          3\n"
    assert [c.unit for c in read_fleet({"a": timed}).probe.tables["table"].columns] == ["", "us", "ms"]


# --- histograms


def test_text_above_a_histogram_names_it_without_its_figures() -> None:
    fleet = case("07")
    (name,) = {row.values[0] for rows in fleet.rows.values() for row in rows}
    assert name == "Distribution of the main request latencies"
    table = fleet.probe.tables["histogram"]
    assert [(c.type, c.unit) for c in table.columns] == [("string", ""), ("duration", "us"), ("int", "")]
    assert sum(int(row.values[2]) for rows in fleet.rows.values() for row in rows) == 900  # type: ignore[call-overload]
    assert "(min/avg/max: 10/245/2517)" in fleet.results["web1"].text_lines


def test_numbers_that_tell_histograms_apart_stay_in_their_names() -> None:
    drawn = "value |-------- count\n    1 |@@@@@       {}\n    2 |@@          2\n\n"
    printed = "CPU 0 latency (us):\n" + drawn.format(5) + "CPU 1 latency (us):\n" + drawn.format(9)
    fleet = read_fleet({"a": printed, "b": printed})
    assert [row.values[0] for row in fleet.rows["a"]] == ["CPU 0 latency"] * 2 + ["CPU 1 latency"] * 2


def test_what_lies_outside_a_linear_histogram_counts() -> None:
    printed = (
        "latency\nvalue |-------- count\n  <10 |@@          2\n   10 |@@@@@       5\n   20 |@@@@        4\n"
        "  >20 |@@@         3\n\n"
    )
    fleet = read_fleet({"a": printed})
    assert fleet.table("a") == [("latency", 9, 2), ("latency", 10, 5), ("latency", 20, 4), ("latency", 21, 3)]
    assert fleet.results["a"].text_lines == ()


def test_values_below_zero_are_counted() -> None:
    """As times they would be impossible, so the histogram has no unit."""
    printed = "skew (us):\nvalue |-------- count\n   -1 |@@          2\n    0 |@@@@@       5\n    1 |@@@@        4\n\n"
    fleet = read_fleet({"a": printed})
    assert [row.values[1:] for row in fleet.rows["a"]] == [(-1, 2), (0, 5), (1, 4)]


# --- call traces


def test_a_blank_behind_the_arrow_is_still_a_call_trace() -> None:
    """This is how SystemTap's own guide prints them."""
    fleet = case("09")
    assert fleet.probe.output == "calltrace"
    with_blank, without = (fleet.results[host].calltrees for host in ("with_blank", "without_blank"))
    assert with_blank == without
    assert sorted(node.path for node in with_blank[0].nodes) == [
        ("do_brk",),
        ("handle_fault",),
        ("handle_fault", "do_wp"),
    ]


def test_a_blank_behind_the_arrow_alone_is_enough() -> None:
    lines = "     0 ls(77): -> vfs_read\n     9 ls(77): <- vfs_read\n"
    assert read_fleet({"a": lines}).probe.output == "calltrace"


# --- other forms of tables


@pytest.mark.parametrize("sign", ["\t", ",", ";", ", ", "|"])
def test_separated_fields_are_a_table(sign: str) -> None:
    lines = [("process", "reads", "bytes"), ("my app", "5", "100"), ("nginx", "7", "2000")]
    printed = "".join(sign.join(line) + "\n" for line in lines) + "Done.\n"
    fleet = read_fleet({"a": printed, "b": printed})
    assert fleet.table("a") == [("my app", 5, 100), ("nginx", 7, 2000)]
    assert [(c.name, c.type, c.merge) for c in next(iter(fleet.probe.tables.values())).columns] == [
        ("process", "string", ""),
        ("reads", "int", "sum"),
        ("bytes", "bytes", "sum"),
    ]
    assert fleet.results["a"].text_lines == ("Done.",)


@pytest.mark.parametrize("sign", ["\t", ",", ";"])
def test_separated_fields_without_words_above_are_a_list(sign: str) -> None:
    lines = [("my app", "5"), ("nginx", "7"), ("crond", "9"), ("ls", "1")]
    printed = "".join(sign.join(line) + "\n" for line in lines)
    assert read_fleet({"a": printed}).table("a") == [("my app", 5), ("nginx", 7), ("crond", 9), ("ls", 1)]


@pytest.mark.parametrize("sign", [": ", " = ", "=", " : ", ":\t"])
def test_names_with_a_number_behind_a_sign_are_a_list(sign: str) -> None:
    lines = [("bypass", "12"), ("open files", "7"), ("/etc/passwd", "5")]
    printed = "Counters\n" + "".join(sign.join(line) + "\n" for line in lines)
    fleet = read_fleet({"a": printed, "b": printed})
    assert fleet.table("a") == [("bypass", 12), ("open files", 7), ("/etc/passwd", 5)]


def test_pairs_of_key_and_value_are_a_table() -> None:
    printed = (
        "proc=nginx reads=5 wait_us=100\nproc=mysqld reads=7 wait_us=2000\nproc=crond reads=9 wait_us=1\n"
    )
    fleet = read_fleet({"a": printed, "b": printed + "proc=nginx oops\n"})
    assert fleet.table("b") == [
        ("nginx", 5, pytest.approx(100e-6)),
        ("mysqld", 7, pytest.approx(2000e-6)),
        ("crond", 9, pytest.approx(1e-6)),
    ]
    assert fleet.results["b"].text_lines == ("proc=nginx oops",)


@pytest.mark.parametrize("time", ["12:00:0{}", "179000000{}", "{}"])
def test_rates_with_their_time_are_a_table(time: str) -> None:
    lines = [f"[{time.format(second)}] {figure} reqs/s\n" for second, figure in enumerate((5, 700, 30))]
    fleet = read_fleet({"a": "".join(lines)})
    (table,) = fleet.probe.tables.values()
    assert [(c.name, c.role, c.merge) for c in table.columns] == [("reqs_s", "measure", "mean")]
    assert fleet.table("a") == [(5,), (700,), (30,)]
    assert {row.interval for row in fleet.rows["a"]} == {0, 1, 2}
