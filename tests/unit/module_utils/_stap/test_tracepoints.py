# SPDX-License-Identifier: GPL-3.0-or-later
"""Where SystemTap has to look for the tracepoints of a script, on a kernel's headers made small."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import tracepoints

EVENTS = {
    "source/include/trace/events/sched.h": "TRACE_EVENT(sched_switch, x)\nDECLARE_TRACE(pelt_cfs_tp, x)",
    "source/include/trace/events/net.h": "DEFINE_EVENT(a, net_dev_queue, x) /* TRACE */",
    "source/include/trace/events/sunrpc.h": "#define X(name) DEFINE_EVENT(c, xprt_##name)\nX(send) /* TRACE */",
    "build/arch/x86/include/asm/trace/irq.h": "#define D(name) TRACE_EVENT_FN(name##_entry, x)\nD(local_timer)",
    "source/include/linux/tracepoint.h": "#define TRACE_EVENT(name) sched_switch",
    "source/include/net/sock.h": "TRACE_EVENT(sched_switch)",
    "source/arch/x86/kvm/trace.h": "TRACE_EVENT(kvm_exit)",
}


@pytest.fixture
def modules(tmp_path: Path) -> str:
    for name, text in EVENTS.items():
        path = tmp_path / "6.1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("script", "names"),
    [
        (
            'probe kernel.trace("sched:sched_switch") ?, kernel . trace( "net_dev_queue" ) {}',
            "sched_switch net_dev_queue",
        ),
        ('probe kernel.function("vfs_read"), kernel.tracepoint("x") {}', ""),
    ],
)
def test_the_names_that_a_script_asks_for(script: str, names: str) -> None:
    assert tracepoints.names([script]) == set(names.split())


@pytest.mark.parametrize(
    "asked",
    ["kernel.trace(@1)", "kernel.trace($2)", 'kernel.trace(%( 1 == 1 %? "a" %))', 'kernel.trace("sched_*")'],
)
def test_where_a_name_is_not_said_all_headers_are_needed(asked: str) -> None:
    assert tracepoints.names(['probe kernel.trace("a") {}', f"probe {asked} {{}}"]) is None


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("sched_switch", "trace/events/sched.h"),
        ("pelt_cfs", "trace/events/sched.h"),
        ("pelt_cfs_tp", "trace/events/sched.h"),
        ("net_dev_queue", "trace/events/net.h"),
        ("xprt_send", "trace/events/sunrpc.h"),
        ("local_timer_entry", "asm/trace/irq.h"),
        ("kvm_exit", "{modules}/6.1/source/arch/x86/kvm/trace.h"),
    ],
)
def test_the_header_that_may_declare_a_name(modules: str, name: str, header: str) -> None:
    assert tracepoints.headers({name}, "6.1", modules) == [header.format(modules=modules)]


def test_what_no_header_says_needs_none(modules: str) -> None:
    assert tracepoints.headers({"switch"}, "6.1", modules) == []
    assert tracepoints.headers(set(), "6.1", modules) == []


def called(folder: Path, headers: list[str], work: str) -> tuple[str, str]:
    """(what was run, the Makefile) when SystemTap calls env(1) for a folder that holds two queries."""
    place = folder / work
    place.mkdir(parents=True)
    (place / "Makefile").write_text("CFLAGS := -g\nobj-m := \nobj-m += q_1.o\nobj-m += q_2.o\n")
    for number, header in enumerate(("sched", "net"), 1):
        lines = ("#include <linux/tracepoint.h>", f"#include <trace/events/{header}.h>", "#endif")
        (place / f"q_{number}.c").write_text("\n".join(lines))
    env = tracepoints.put_before_env(str(folder / "bin"), headers)
    done = subprocess.run(
        [env, "-uARCH", "WHAT=make", "sh", "-c", 'echo "$WHAT"', "make", f"M={place}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, (place / "Makefile").read_text()


def test_only_wanted_headers_are_compiled(tmp_path: Path) -> None:
    ran, makefile = called(tmp_path, ["trace/events/net.h", "trace/events/other.h"], "tmp/tracequery_kmod_1")
    assert ran == "make\n"
    assert makefile == "CFLAGS := -g\nobj-m := \nobj-m += q_2.o\n"


def test_where_no_header_is_wanted_nothing_is_run(tmp_path: Path) -> None:
    assert called(tmp_path, [], "tmp/tracequery_kmod_1")[0] == ""


def test_what_is_no_query_is_compiled_as_it_is(tmp_path: Path) -> None:
    ran, makefile = called(tmp_path, [], "tmp/fd_module")
    assert ran == "make\n"
    assert makefile.count("+=") == 2


def test_what_says_that_headers_have_no_tracepoints_is_forgotten(tmp_path: Path) -> None:
    cache = tmp_path / "b1"
    cache.mkdir()
    for name, text in (("tracequery_a_1.o", ""), ("tracequery_b_2.o", "ELF"), ("stap_c.ko", "")):
        (cache / name).write_text(text)
    tracepoints.forget_empty(str(tmp_path))
    assert sorted(path.name for path in cache.iterdir()) == ["stap_c.ko", "tracequery_b_2.o"]
    tracepoints.forget_empty(str(tmp_path / "nothing"))


def test_the_tapset_beside_stap_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tapset = tmp_path / "share" / "systemtap" / "tapset" / "linux"
    tapset.mkdir(parents=True)
    (tapset / "x.stp").write_text('probe x = kernel.trace("y") {}')
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "none"))
    assert tracepoints.installed_tapset(str(tmp_path / "bin" / "stap")) == ['probe x = kernel.trace("y") {}']
    assert tracepoints.installed_tapset(str(tmp_path / "other" / "bin" / "stap")) == []
