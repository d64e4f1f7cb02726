# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found out about outputs nobody declared. recorded/ holds what SystemTap's examples printed on a 6.12 kernel.

The outputs made here use the printf formats of examples that need debug symbols, which that kernel had not.
"""

# ruff: noqa: UP031

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import (
    drawn_shapes,
    settle,
    shape_base,
    shapes,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import (
    parse_session,
    printed_lines,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout, Probe, Value

RECORDED = Path(__file__).with_name("recorded")
NONCE = "0123456789abcdef"
AUTO = Probe("ex_x", "It.", "What?", "auto", "low", unmodified=True)

EMPTIES = (
    "global a probe syscall.read { a[pid()]++ }"
    ' probe timer.s(5) { foreach (p in a) printf("%d %d", p, a[p]); delete a }'
)


def session(
    output: bytes, nonce: str = NONCE, script: str = EMPTIES
) -> tuple[Probe, list[Row], SessionResult]:
    """An output as a report reads it: first what form it has, then its rows."""
    probe = settle.settled(AUTO, script, [printed_lines(nonce, io.BytesIO(output), 1 << 30)])
    read = parse_session(probe, nonce, io.BytesIO(output))
    return probe, list(read), read.result


def recorded(name: str) -> tuple[Probe, list[Row], SessionResult]:
    output = (RECORDED / f"{name}.out").read_bytes()
    found = re.search(rb"([0-9a-f]{16})\t1\t@armed\t", output)
    assert found
    return session(output, found[1].decode())


def spelled(layout: Layout) -> str:
    """The columns of a table, keys without a merge: `pid:int run_us:duration/us:sum`."""
    return " ".join(
        ":".join(
            part for part in (column.name, f"{column.type}/{column.unit}".rstrip("/"), column.merge) if part
        )
        for column in layout.table.columns
    )


@pytest.mark.parametrize(
    ("name", "kind", "columns", "rows", "text", "first"),
    [
        (
            "schedtimes",
            "header",
            (
                "execname:string pid:int run_us:duration/us:sum sleep_us:duration/us:sum iowait_us:duration/us:sum"
                " queued_us:duration/us:sum total_us:duration/us:sum"
            ),
            37,
            0,
            ("systemd", 1, 0.022711, 28.521786, 0.0, 0.017174, 28.561671),
        ),
        (
            "iostats",  # two lines of words
            "header",
            (
                "name:string open:int:sum read:int:sum read_kb_tot:bytes/KB:sum read_b_avg:int:mean write:int:sum"
                " write_kb_tot:bytes/KB:sum write_b_avg:int:mean"
            ),
            20,
            0,
            ("lab_writer", 0, 0, 0, 0, 504, 32256 * 1024, 65536),
        ),
        (
            "errno",  # names that are empty
            "header",
            "pid:int syscall:string process:string error:string count:int:sum",
            20,
            0,
            (13967, "futex", "stapio", "ETIMEDOUT", 109),
        ),
        (
            "interrupts_by_dev",  # words of a heading far apart, a sign between the fields
            "header",
            "device:string number_of_interrupts:int:sum",
            30,
            0,
            ("virtio2-req.0", 5),
        ),
        (
            "killsnoop_nd",  # fields that are longer than their columns
            "header",
            "from:int command:string sig:int to:int result:int:last",
            1,
            0,
            (275, "systemd-udevd", 15, 17274, 17274),
        ),
        (
            "thread_business",  # a heading of two words over texts of many
            "header",
            "execname:string tid:int count:int:sum recent_syscalls:string",
            52,
            0,
            ("sudo", 14166, 1128, "exit_group close munmap munmap munmap munmap munma"),
        ),
        (
            "container_check",
            "header",
            "executable:string syscall:string errno:string count:int:sum",
            23,
            7,
            ("(udev-worker)", "epoll_wait", "EINTR", 4),
        ),
        (
            "mmfilepage",
            "header",
            "command:string pid:int alloc:int:sum free:int:sum cacheadd:int:last cachedel:int:last",
            27,
            1,
            ("swapper/0", 0, 5, 4, 0, 0),
        ),
        (
            "sig_by_pid",
            "header",
            "spid:int sender:string rpid:int receiver:string signame:string count:int:sum",
            24,
            0,
            (11278, "sleep", 501, "sh", "SIGCHLD", 1),
        ),
        (
            "syscalls_by_proc",
            "header",
            "syscalls:int:sum process_name:string",
            27,
            0,
            (63528, "staprun"),
        ),
        ("pf2", "list", "name:string value:int:last", 30, 3, ("0xffffffff8a70fa3f", 3632)),
        ("stopwatches", "list", "name:string value:duration:last", 3, 0, ("wall clock", 22.226861)),
        (
            "biolatency_nd",
            "histogram",
            "what:string value:duration/ns count:int:sum",
            13,
            0,
            ("bio latency", 32768e-9, 15),
        ),
        (
            "bitesize_nd",
            "histogram",
            "what:string value:int count:int:sum",
            15,
            1,
            ("process name: kworker/u4:1", 4096, 5),
        ),
        (
            "sched_latency",
            "histogram",
            "what:string value:int count:int:sum",
            26,
            0,
            ("pid:1 prio:120", 256, 1),
        ),
    ],
)
def test_recorded_outputs_that_have_a_table(
    name: str, kind: str, columns: str, rows: int, text: int, first: tuple[Value, ...]
) -> None:
    probe, found, result = recorded(name)
    (layout,) = probe.layouts
    assert probe.output == "table"
    assert (layout.kind, spelled(layout)) == (kind, columns)
    assert (len(found), result.text_lines_total, result.rejected_lines) == (rows, text, 0)
    assert found[0].values == pytest.approx(first)
    assert {row.table for row in found} == {layout.table.name} == set(probe.tables)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("dropwatch", 14),
        ("mmreclaim", 5),
        ("netfilter_summary", 2),
        ("packet_contents", 24),
        ("pstree", 30),
        ("sigmon", 0),
        ("sleeptime", 30),
    ],
)
def test_recorded_outputs_that_are_text(name: str, lines: int) -> None:
    probe, rows, result = recorded(name)
    assert (probe.output, probe.layouts, rows) == ("text", (), [])
    assert (result.text_lines_total, result.rejected_lines) == (lines, 0)


def test_what_is_printed_again_and_again_has_intervals() -> None:
    probe, rows, _ = recorded("thread_business")
    (layout,) = probe.layouts
    assert (layout.table.interval, layout.interval_s) == (True, 5.0)
    assert {row.interval for row in rows} == {0, 1, 2}
    assert all(row.t_ms is not None for row in rows)
    probe, rows, _ = recorded("pf2")
    assert (probe.layouts[0].table.interval, {row.interval for row in rows}) == (True, {0, 1, 2})
    probe, _, _ = recorded("schedtimes")
    assert (probe.layouts[0].table.interval, probe.layouts[0].interval_s) == (False, None)


def test_histograms_have_the_view_of_one() -> None:
    (layout,) = recorded("biolatency_nd")[0].layouts
    assert [(view.kind, view.measure, view.bucket) for view in layout.table.views] == [
        ("histogram", "count", "value")
    ]
    (layout,) = recorded("sched_latency")[0].layouts
    assert [view.kind for view in layout.table.views] == ["histogram", "heatmap"]


def test_a_note_says_what_is_no_row_and_since_when_figures_count() -> None:
    notes = recorded("container_check")[2].notes
    assert "7 lines are no rows of the tables that were found in this output and kept as text" in notes
    assert "its figures may count from when it was armed, 8 s before the window" in notes
    assert not any("count from" in note for note in recorded("interrupts_by_dev")[2].notes)


def test_who_did_what_when_stays_text_in_the_order_of_time() -> None:
    """A table would be sorted by something else, and no two of its rows would be of the same thing."""
    probe, rows, result = recorded("execsnoop_nd")
    assert (probe.output, rows) == ("text", [])
    assert any(line.endswith("sleep sleep 0") for line in result.text_lines)
    layout, found = one(
        records("TIME      CPU  LOAD\n12:00:01   0    17\n12:00:02   1    18\n12:00:03   0    19\n")
    )
    assert [column.role for column in layout.table.columns] == ["key", "key", "measure"]
    assert len(found) == 3


# --- printf formats of examples that were not run


def records(*parts: str) -> bytes:
    """A session in whose window these texts were printed, five seconds apart."""
    text = f"{NONCE}\t1\t@armed\t0\t1790000000000\n{NONCE}\t2\t@start\t0\t1790000004000\n"
    for number, part in enumerate(parts):
        text += f"{NONCE}\t{number + 3}\t@time\t{number * 5000}\n{part}"
    return (text + f"{NONCE}\t{len(parts) + 3}\t@end\t9000\t1790000013000\twindow\n").encode()


def one(output: bytes, script: str = EMPTIES) -> tuple[Layout, list[tuple[Value, ...]]]:
    probe, rows, result = session(output, script=script)
    assert result.rejected_lines == 0
    (layout,) = probe.layouts
    return layout, [row.values for row in rows]


def nettop(*rows: tuple[int, int, str, int, int, int, int, str]) -> str:
    head = "%5s %5s %-12s %7s %7s %7s %7s %-15s\n" % (
        *("PID", "UID", "DEV", "XMIT_PK", "RECV_PK", "XMIT_KB", "RECV_KB", "COMMAND"),
    )
    return head + "".join("%5d %5d %-12s %7d %7d %7d %7d %-15s\n" % row for row in rows) + "\n"


def iotop(*rows: tuple[str, int, int]) -> str:
    return (
        "%16s\t%10s\t%10s\n" % ("Process", "KB Read", "KB Written")
        + "".join("%16s\t%10d\t%10d\n" % row for row in rows)
        + "\n"
    )


def disktop(*rows: tuple[int, int, int, str, str, str, int]) -> str:
    head = "\n%-25s, %-8s%4dKb/sec, %-7s%6dKb, %-7s%6dKb\n\n" % (
        *("Mon Nov 23 07:00:00 2026", "Average:", 12, "Read:", 3, "Write:", 57),
    )
    head += "%8s %8s %8s %25s %8s %4s %12s\n" % ("UID", "PID", "PPID", "CMD", "DEVICE", "T", "BYTES")
    return head + "".join("%8d %8d %8d %25s %8s %4s %12d\n" % row for row in rows)


def thread_times(*rows: tuple[str, int, int, int, int, int]) -> str:
    head = "%20s %7s %7s %7s (of %d ticks)\n" % ("comm", "tid", "%user", "%kernel", 400)
    return head + "".join("%20s %7d %3d.%02d%% %3d.%02d%%\n" % row for row in rows) + "\n"


def test_nettop() -> None:
    layout, rows = one(
        records(nettop((812, 0, "eth0", 12, 9, 4, 1, "sshd"), (7, 33, "lo", 1, 1, 0, 0, "Web Content")))
    )
    assert spelled(layout) == (
        "pid:int uid:int dev:string xmit_pk:int:sum recv_pk:int:sum xmit_kb:bytes/KB:sum recv_kb:bytes/KB:sum"
        " command:string"
    )
    assert rows == [
        (812, 0, "eth0", 12, 9, 4096, 1024, "sshd"),
        (7, 33, "lo", 1, 1, 0, 0, "Web Content"),
    ]


def test_iotop_adds_up_over_its_intervals() -> None:
    first, second = iotop(("tmux: server", 10, 20), ("httpd", 1, 2)), iotop(("httpd", 5, 0), ("ls", 1, 0))
    layout, rows = one(records(first, second))
    assert spelled(layout) == "process:string kb_read:bytes/KB:sum kb_written:bytes/KB:sum"
    assert [column.words for column in layout.table.columns] == ["process", "Read", "Written"]
    assert (layout.table.interval, layout.interval_s, layout.table.sort) == (True, 5.0, "kb_read")
    assert rows[0] == ("tmux: server", 10240, 20480)


def test_numbers_of_a_script_that_never_forgets_are_not_added_up() -> None:
    output = records(iotop(("ls", 1, 0), ("httpd", 1, 2)), iotop(("ls", 1, 0), ("httpd", 5, 2)))
    layout, _ = one(output, script="probe begin {}")
    assert spelled(layout) == "process:string kb_read:bytes/KB:last kb_written:bytes/KB:last"


def test_disktop_has_lines_between_its_tables() -> None:
    probe, rows, result = session(
        records(
            disktop((0, 1, 0, "tmux: server", "vda", "R", 4096), (0, 2, 1, "dd", "vda", "W", 8)),
            disktop((0, 2, 1, "dd", "vda", "W", 16)),
        )
    )
    (layout,) = probe.layouts
    assert spelled(layout) == ("uid:int pid:int ppid:int cmd:string device:string t:string bytes:bytes/B:sum")
    assert [row.values[3] for row in rows] == ["tmux: server", "dd", "dd"]
    assert result.text_lines_total == 2


def test_a_table_and_a_histogram_in_one_output() -> None:
    drawn = (
        "latency (us):\nvalue |------ count\n    1 |@@@    3\n    2 |       0\n      ~\n  128 |@      1\n\n"
    )
    probe, rows, result = session(records(iotop(("ls", 1, 0), ("httpd", 1, 2)) + drawn))
    assert [layout.table.name for layout in probe.layouts] == ["histogram", "table"]
    assert [row.values for row in rows if row.table == "histogram"] == [
        ("latency", 1e-6, 3),
        ("latency", 128e-6, 1),
    ]
    assert (len(rows), result.text_lines_total) == (4, 0)


# --- JSON, variables, traces


def test_lines_of_json_are_rows() -> None:
    lines = [
        {"host": "a", "pid": 7, "bytes": 10, "up": True, "load": 0.5},
        {"host": "b", "pid": 8, "bytes": 1, "up": False, "load": 2},
    ]
    probe, rows, result = session(
        records("".join(json.dumps(line) + "\n" for line in lines) + "no json\n{broken\n")
    )
    (layout,) = probe.layouts
    assert (probe.output, layout.kind) == ("rows", "json")
    assert spelled(layout) == "host_name:string pid:int bytes:bytes/B:sum up:bool load:float:last"
    assert [row.values for row in rows] == [("a", 7, 10, True, 0.5), ("b", 8, 1, False, 2.0)]
    assert result.text_lines == ("no json", "{broken")


def test_json_as_systemtap_serves_it() -> None:
    served = {
        "net_xmit_data": [
            {"__id": "eth0", "xmit_count": 5, "xmit_latency": 1200},
            {"__id": "eth1", "xmit_count": 0, "xmit_latency": 0},
        ]
    }
    probe, rows, _ = session(records(json.dumps(served) + "\n"))
    (layout,) = probe.layouts
    assert (layout.table.name, layout.of) == ("net_xmit_data", "net_xmit_data")
    assert spelled(layout) == "id:string xmit_count:int:sum xmit_latency:int:last"
    assert [row.values for row in rows] == [("eth0", 5, 1200), ("eth1", 0, 0)]


def test_json_of_another_form_is_text() -> None:
    lines = [
        '{"a": "x", "n": 1}',
        '{"a": "y", "n": 2}',
        '{"a": "z"}',
        '{"a": 1, "n": 2}',
        '{"a": "z", "n": "many"}',
        "[1, 2]",
    ]
    _, rows, result = session(records("\n".join(lines) + "\n"))
    assert [row.values for row in rows] == [("x", 1), ("y", 2)]
    assert result.text_lines == tuple(lines[2:])


def test_variables_that_systemtap_prints_itself() -> None:
    output = records(
        'calls["nginx",0x10]=0x5\ncalls["a \\"b\\"",0x11]=0x1\n'
        'wait["ls"] @count=0x3 @min=0x1 @max=0x9 @sum=0xc @avg=0x4\ntotal=0x7\n'
    )
    probe, rows, result = session(output)
    assert {layout.table.name: spelled(layout) for layout in probe.layouts} == {
        "calls": "key_1:string key_2:int value:int:last",
        "wait": "key:string count:int:sum min:int:min max:int:max sum:int:sum avg:int:last",
        "total": "value:int:last",
    }
    assert [row.values for row in rows] == [("nginx", 16, 5), ('a "b"', 17, 1), ("ls", 3, 1, 9, 12, 4), (7,)]
    assert result.text_lines_total == 0


def test_a_call_trace_is_one() -> None:
    lines = "     0 ls(77):->vfs_read\n     3 ls(77): ->rw_verify_area\n"
    lines += "     5 ls(77): <-rw_verify_area\n     9 ls(77):<-vfs_read\n"
    probe, _, result = session(records(lines))
    assert probe.output == "calltrace"
    assert [node.path for tree in result.calltrees for node in tree.nodes] == [
        ("vfs_read",),
        ("vfs_read", "rw_verify_area"),
    ]


# --- what is no table


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "Collecting data... Type Ctrl-C to exit\n",
        "a b\nc d\ne f\n",
        "starting up now\nread 5 files\nwrote 7 files\n",
        "one 1\n",
        "12 files read by ls\n3 files read by cat\n40 files read by dd\n",
        "Monitoring network devices\neth0 up 5\nlo up 7\n",
        'rankdir="LR"\n',
        "pid:1 prio:120\npid:2 prio:100\n",
    ],
)
def test_prose_is_text(text: str) -> None:
    probe, rows, result = session(records(text))
    assert (probe.output, rows) == ("text", [])
    assert result.text_lines_total == text.count("\n")


def test_a_line_that_does_not_fit_is_text_and_never_a_row() -> None:
    output = records(
        iotop(("ls", 1, 0), ("httpd", 1, 2)) + "httpd gone\n             x y\t         z\t         3\n"
    )
    _, rows, result = session(output)
    assert [row.values[0] for row in rows] == ["ls", "httpd"]
    assert [line.split() for line in result.text_lines] == [["httpd", "gone"], ["x", "y", "z", "3"]]


def test_any_host_that_is_looked_at_shows_the_form() -> None:
    samples = [
        [(b"nothing yet", 0)],
        [(line, 0) for line in iotop(("ls", 1, 0), ("dd", 2, 2)).encode().split(b"\n")],
    ]
    assert settle.settled(AUTO, "", samples).output == "table"
    assert settle.settled(AUTO, "", samples[:1]).output == "text"
    assert settle.settled(AUTO, "", []).output == "text"
    many = [samples[0]] * settle.MAX_HOSTS + [samples[1]]
    assert settle.settled(AUTO, "", many).output == "text"


WORDS = st.sampled_from(
    (
        *(
            "PID",
            "name",
            "KB Read",
            "(us)",
            "12",
            "-3.5",
            "0x1f",
            ":",
            "|",
            "-",
            "---",
            "99%",
            "5us",
            "",
            "  ",
            "\t",
        ),
        *(
            "value |--- count",
            "  8 |@@  2",
            "~",
            "{",
            '{"a": 1}',
            "x=0x5",
            'n["k"]=0x1',
            "->f",
            "<-f",
            "ls(3):",
        ),
        *("\x1b[2J", "\x1f", "Tue Nov 24 12:25:14 2026"),
    )
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=6), max_size=25), st.integers(0, 25))
def test_no_output_raises_and_every_line_is_accounted_for(lines: list[list[str]], start: int) -> None:
    texts = [" ".join(line) for line in lines]
    before, within = (
        "".join(f"{line}\n" for line in texts[:start]),
        "".join(f"{line}\n" for line in texts[start:]),
    )
    head = f"{NONCE}\t1\t@armed\t0\t1790000000000\n{before}{NONCE}\t2\t@start\t0\t1790000004000\n"
    probe, rows, result = session((head + within).encode("utf-8", "surrogatepass"))
    for row in rows:
        assert len(row.values) == len(probe.tables[row.table].columns)
    assert result.text_lines_total <= len(texts[start:])


def test_a_reader_is_there_for_every_kind_of_layout() -> None:
    for kind in shapes.KINDS:
        table = drawn_shapes.HISTOGRAM.table
        assert isinstance(shapes.shape(Layout(kind, table, ("",) * 3)), shape_base.Shape)


def test_a_sample_is_bounded() -> None:
    def endless() -> object:
        while True:
            yield b"x", None

    assert settle.settled(AUTO, "", [endless()] * 3).output == "text"  # type: ignore[list-item]
