# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of SystemTap 5.6 on scripts that did not compile for a Debian kernel without debug symbols."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.diagnosis import (
    beyond_btf,
    explain,
    needs_symbols,
    of_program,
    of_script,
    wants_more,
)

NO_TABLE = "WARNING: Kernel function symbol table missing [man warning::symbols]\n"
NO_DWARF = "WARNING: cannot find module {} debuginfo: No DWARF information found [man warning::debuginfo]\n"
RESOLVING = """\
semantic error: while resolving probe point: identifier '{}' at /usr/share/systemtap/tapset/linux/vfs.stp:1119:26
        source: probe vfs.write.return = kernel.function("vfs_write").return
                                         ^

semantic error: {}

Pass 2: analysis failed.  [man error::pass2]
"""
TYPE = """\
semantic error: type definition 'gendisk' not found in '{}': operator '@cast' at /usr/share/tapset/dev.stp:59:24
        source: \t\treturn kernel_string(@cast(hd, "gendisk", "kernel")->disk_name)
"""
SCOPE = """\
semantic error: debuginfo scope not found for module 'ext4', cannot resolve context variable: identifier '$sb' at x:3:4
        source:           warnlog("ext4", @entry($sb->s_dev));
"""
ENTRY = """\
semantic error: while processing probe tp_syscall.open.return from: syscall.open.return from: syscall.open.return

semantic error: internal error: @entry is only valid in .return probes: operator '@entry' at ex_io_iotime.stp:67:30
        source:   time = gettimeofday_us() - @entry(gettimeofday_us())
                                             ^
"""
BOTH = NO_TABLE + NO_DWARF.format("kernel")


@pytest.mark.parametrize(
    ("said", "source"),
    [
        (
            BOTH + RESOLVING.format("kernel", "no match"),
            'probe vfs.write.return = kernel.function("vfs_write").return',
        ),
        (NO_TABLE + RESOLVING.format("kprobe", "no match"), "probe vfs.write.return"),
        (BOTH + RESOLVING.format("nfsd", "no match"), "probe vfs.write.return"),
        (BOTH + TYPE.format("kernel"), 'return kernel_string(@cast(hd, "gendisk", "kernel")->disk_name)'),
        (NO_TABLE + NO_DWARF.format("ext4") + SCOPE, 'warnlog("ext4", @entry($sb->s_dev));'),
        (NO_TABLE + ENTRY, "time = gettimeofday_us() - @entry(gettimeofday_us())"),
    ],
)
def test_what_needs_debuginfo_is_said_in_one_sentence(said: str, source: str) -> None:
    sentence = explain(said, debuginfo=False, unmodified=True)
    assert sentence.startswith("needs debuginfo: ")
    assert source in sentence
    assert "sweep_examples_debuginfo=true" in sentence
    assert "\n" not in sentence
    assert "requires: {debuginfo: true}" in explain(said, debuginfo=False, unmodified=False)
    assert explain(said, debuginfo=True, unmodified=True) == ""


@pytest.mark.parametrize(
    "said",
    [
        "parse error: embedded code in unprivileged script; need stap -g\n",
        NO_TABLE + RESOLVING.format("kernel", "no match (similar tracepoints: irqs, map)"),
        NO_TABLE + RESOLVING.format("process", "glob /usr/lib*/libtcl*.so error (3)"),
        NO_TABLE + RESOLVING.format("process", "no match"),
        NO_TABLE + NO_DWARF.format("/usr/bin/stap") + TYPE.format("/usr/bin/stap"),
        NO_TABLE + RESOLVING.format("no", "probe point mismatch (similar: nfs)"),
        NO_TABLE
        + "semantic error: internal error: @entry is only valid in .return probes: operator '@entry' at x",
        RESOLVING.format("kernel", "no match"),
        "",
    ],
)
def test_every_other_reason_stays_in_the_words_of_systemtap(said: str) -> None:
    assert explain(said, debuginfo=False, unmodified=True) == ""


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("parse error: expected statement\n\tsaw: keyword at x.stp:3:1", True),
        (RESOLVING.format("no", "probe point mismatch"), True),
        ("x.stp: no live probe point: of all that the script probes only begin is left", True),
        ("stap ended with exit code 1", False),
        ("compiling took longer than 1200 s", False),
        (
            "only 3 MB are free under /var/cache/fleetdiag on the builder, 300 are needed: free space there",
            False,
        ),
        ("Pass 4: compilation failed.  [man error::pass4]", False),
    ],
)
def test_what_another_builder_would_say_too(said: str, same: bool) -> None:
    assert of_script(said) is same


POINT = """\
semantic error: while resolving probe point: identifier 'kernel' at <input>:1:7
        source: probe {} {{ println("x") }}
                      ^

semantic error: no match{}
"""
LOCAL = """\
semantic error: unable to find local 'nosuch', [man error::dwarf] dieoffset 0x22ee39 in kernel, near pc\
 0xffffffff81445d80 in vfs_read functions at 0xffffffff81430d70\
 (alternatives: $buf, $count)): identifier '$nosuch' at <input>:1:45
        source: probe kernel.function("vfs_read") { println($nosuch) }
"""
GLOBAL = """\
semantic error: unable to find global 'jiffies' in kernel: operator '@var' at <input>:1:50
        source: probe kernel.function("getname_flags") { println(@var("jiffies")) }
"""
SIMILAR = " (similar functions: vfs_read, vcs_read)"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (LOCAL, "$nosuch is no parameter of that function"),
        (GLOBAL, "no variable or member jiffies"),
        (POINT.format('kernel.statement("vfs_read@fs/read_write.c:460")', ""), "a source file or line"),
        (POINT.format('kernel.function("*@fs/read*.c")', SIMILAR), "a source file or line"),
        (POINT.format('kernel.function("vfs_read").label("out")', SIMILAR), "it asks for .label"),
        (POINT.format('kernel.function("vfs_read").inline', SIMILAR), "it asks for .inline"),
        (POINT.format('kernel.function("sys_open")', SIMILAR), "no function of that name"),
        (SCOPE, "module ext4"),
        (RESOLVING.format("kprobe", "no match"), "no function of that name"),
    ],
)
def test_what_btf_does_not_know_is_said_in_one_sentence(said: str, reason: str) -> None:
    """Messages of SystemTap 5.6 that had debuginfo made of the BTF of Debian's 6.12."""
    sentence = beyond_btf(NO_TABLE + said)
    assert reason in sentence
    assert "docs/kernel_info.md" in sentence
    assert "\n" not in sentence


def test_another_fault_keeps_its_own_words() -> None:
    assert beyond_btf("parse error: expected statement\n") == ""


def test_only_what_lacks_symbols_is_tried_with_what_the_kernel_tells() -> None:
    assert needs_symbols(BOTH + RESOLVING.format("kernel", "no match"))
    assert not needs_symbols(RESOLVING.format("kernel", "no match"))
    assert not needs_symbols("parse error: expected statement")
    assert not wants_more("parse error: expected statement")
    assert wants_more(BOTH + RESOLVING.format("kernel", "no match"))
    assert wants_more(
        "x.stp: no live probe point: of all that the script probes only begin is left for this kernel"
    )


LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
POINT = """\
semantic error: while resolving probe point: identifier 'process' at x.stp:1:7
        source: probe process("/usr/lib/x86_64-linux-gnu/libc.so.6"){} {{ n++ }}
                      ^

semantic error: no match{}

Pass 2: analysis failed.  [man error::pass2]
"""
OF_LIBC = NO_TABLE + NO_DWARF.format(LIBC)
VARIABLE = f"""\
semantic error: debuginfo scope not found for module '{LIBC}', cannot resolve context variable: identifier '$name' at x:1
        source: probe process("{LIBC}").function("getenv") {{ n += $name }}

semantic error: unresolved type : identifier '$name' at :1:79
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (OF_LIBC + VARIABLE, f"it asks what only the debuginfo of {LIBC} has"),
        (OF_LIBC + POINT.format('.statement("f@*:3")', ""), f"it asks what only the debuginfo of {LIBC} has"),
        (
            OF_LIBC + POINT.format('.function("nope")', ""),
            "no such function in its table of symbols, or no such mark",
        ),
        (
            NO_TABLE + POINT.format('.mark("nope")', " (similar marks: setjmp)"),
            ": similar marks: setjmp; see what",
        ),
    ],
)
def test_what_a_programs_own_file_does_not_tell_is_said_in_one_sentence(said: str, reason: str) -> None:
    assert reason in of_program(said)
    assert "\n" not in of_program(said)
    assert not wants_more(said)  # the kernel's types are no help
    assert of_script(said)


def test_what_a_kernel_does_not_tell_is_no_programs_fault() -> None:
    for said in (
        BOTH + RESOLVING.format("kernel", "no match"),
        NO_TABLE + SCOPE,
        BOTH + TYPE.format("kernel"),
        "",
    ):
        assert of_program(said) == ""
