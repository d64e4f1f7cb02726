# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs a script probes, and what it may not ask of a builder."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy, process_points


@pytest.mark.parametrize(
    ("text", "arguments", "paths"),
    [
        (
            'probe process("/usr/sbin/nginx").function("f"), process("/bin/x").mark("m")? {}',
            (),
            ["/usr/sbin/nginx", "/bin/x"],
        ),
        ('probe process("/b").library("/lib/x-2.so.6").function("f") {}', (), ["/b", "/lib/x-2.so.6"]),
        ('probe a = process("/b").begin {}\nprobe process("/b").end {}', (), ["/b"]),
        ("probe process(@1).function(@2) {}", ("/usr/bin/a", "f"), ["/usr/bin/a"]),
        ("probe process(@1).function(@2) {}", (), []),
        ('@define P %( "/usr/bin/" "b" %)\nprobe process(@P).begin {}', (), ["/usr/bin/b"]),
        (
            '%( kernel_v >= "3" %? probe process("/b").begin {} %: probe process("/c").begin {} %)',
            (),
            ["/b", "/c"],
        ),
        ('probe process.begin, syscall.read { println("process(\\"x\\")") }', (), []),
        ("function process(n) { return n }\nprobe begin { process(3) }", (), []),
    ],
)
def test_programs_are_named_by_their_paths(text: str, arguments: tuple[str, ...], paths: list[str]) -> None:
    assert process_points.named(text, arguments) == paths
    assert not [
        fault for fault in policy.faults(text, "script", arguments=arguments) if "program" in fault.what
    ]


@pytest.mark.parametrize(
    ("point", "what"),
    [
        ('process("nginx").function("f")', "names a program without its folder"),
        ('process("./nginx").function("f")', "names a program without its folder"),
        ('process("/b").library("libc.so.6").function("f")', "names a program without its folder"),
        ('process("/usr/bin/*").begin', "asks for programs by a pattern"),
        ("process(812).begin", "names a process by its number"),
        ("process(@UNKNOWN).begin", "in a way that is not plain text"),
        ('process("/a/../../etc/x").begin', "by a path that is not taken"),
        ('process("/a b").begin', "by a path that is not taken"),
        ('process("/a\\"; b").begin', "by a path that is not taken"),
        ('process("/proc/812/exe").begin', "by a path that is not taken"),
        ('process("/lib/modules/x").begin', "by a path that is not taken"),
        (f'process("/{"a" * 200}").begin', "by a path that is not taken"),
        (", ".join(f'process("/{n}").begin' for n in range(9)), "more than 8 programs"),
    ],
)
def test_what_no_builder_can_be_given_is_refused_with_its_line(point: str, what: str) -> None:
    text = f"global n\nprobe {point} {{ n++ }}\nprobe end {{ println(n) }}\n"
    with pytest.raises(FleetdiagError, match=r"^line 2 of the script ") as error:
        process_points.named(text, ())
    assert what in str(error.value)
    assert what in policy.faults(text, "script")[0].what


def test_an_argument_is_no_way_around() -> None:
    with pytest.raises(FleetdiagError, match="without its folder"):
        process_points.named("probe process(@1).begin {}", ["nginx"])
    assert (
        "without its folder"
        in policy.faults("probe process(@1).begin {}", "script", arguments=["nginx"])[0].what
    )
