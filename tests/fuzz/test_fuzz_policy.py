# SPDX-License-Identifier: GPL-3.0-or-later
"""Any script, with any arguments, has faults or has none: nothing else happens, and not for long.

FLEETDIAG_FUZZ_EXAMPLES=100000 tries more.
"""

from __future__ import annotations

import os
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import policy
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import calls, read

EXAMPLES = int(os.environ.get("FLEETDIAG_FUZZ_EXAMPLES", "300"))
SECONDS = 30.0  # a script of this size takes milliseconds: only what hangs takes so long

MANIFEST = probe_from_manifest(
    "tested",
    {
        "description": "A.",
        "question": "A?",
        "output": "rows",
        "cost": "low",
        "tables": {
            "t": {
                "description": "A.",
                "columns": {"a": {"type": "int", "role": "key", "description": "A."}},
            }
        },
        "parameters": {"p": {"type": "int", "default": 1, "when": "compile", "description": "A."}},
    },
)

NAMES = st.sampled_from(
    [
        *(
            "x",
            "fd_row",
            "fd_str",
            "fd_sampling",
            "text_str",
            "system",
            "printf",
            "print",
            "warn",
            "exit",
            "panic",
        ),
        *("@m", "@n", "$1", "@1", "$#", "$9", "$x", "@cast"),
    ]
)
TEXTS = st.sampled_from(['"t"', '"%s\\t%d\\n"', '"%*.*s"', '"/*"', '"', '"\\"', '"%(" "a"', '"*@*"'])
OTHERS = st.sampled_from(["0x1f", "09", "1" * 5000, "#", "// c\n", "/* c */", "/*", "%{ c %}", "%{"])
LEAVES = st.one_of(NAMES, TEXTS, OTHERS)


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """What stands around other code: calls, brackets, conditionals, choices, assignments, half of any of these."""
    return st.one_of(
        st.tuples(NAMES, st.lists(inner, max_size=3)).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} ? {t[1]} : {t[2]}"),
        st.tuples(inner, inner, inner).map(lambda t: f"%( {t[0]} == 1 %? {t[1]} %: {t[2]} %)"),
        st.tuples(inner, st.sampled_from(["=", "++", ".", "->", " in ", "<<<", "\n", " "]), inner).map(
            "".join
        ),
        st.tuples(st.sampled_from("([{"), inner, st.sampled_from(")]}")).map("".join),
        st.tuples(inner, st.sampled_from(["(", ")", "]=", "{", "}", "%(", "%?", "%:", "%)", "?"])).map(
            "".join
        ),
        st.tuples(inner, st.integers(1, 400)).map(lambda t: (t[0] + " ") * (t[1] if len(t[0]) < 200 else 1)),
    )


CODE = st.recursive(LEAVES, _wrapped, max_leaves=12)
POINTS = st.sampled_from(
    [
        "begin",
        "timer.ms(1)",
        'kernel.function("*@*")',
        "module(@1)",
        "a.{b,c}",
        "my = end",
        "oneshot",
        "perf.x",
    ]
)
PARTS = st.one_of(
    st.tuples(POINTS, CODE).map(lambda t: f"probe {t[0]} {{ {t[1]} }}"),
    st.tuples(NAMES, CODE).map(lambda t: f"function {t[0]}:string(a:long) {{ {t[1]} }}"),
    st.tuples(st.sampled_from(["m", "n(a)", "system"]), CODE).map(lambda t: f"@define {t[0]} %( {t[1]} %)"),
    st.tuples(NAMES, LEAVES).map(lambda t: f"global {t[0]}[1], b = {t[1]}"),
    CODE,
)
SCRIPTS = st.lists(PARTS, max_size=6).map("\n".join)
ARGUMENTS = st.lists(st.one_of(CODE, st.sampled_from(["", "/*", "*/", "$1", "$2", "sys", "("])), max_size=3)


@given(SCRIPTS, ARGUMENTS, st.sampled_from(["script", "probe", "tapset"]))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_script_has_faults_or_none(text: str, arguments: list[str], level: Any) -> None:
    began = time.process_time()
    found = policy.faults(text, level, MANIFEST, arguments)
    assert time.process_time() - began < SECONDS
    for fault in found:
        assert fault.line >= 1
        assert fault.what
        assert fault.advice
        assert "\n" not in fault.what + fault.advice
    if not found and not arguments and "->" not in text:  # no such call where it stands in the open
        assert not list(calls(read(text).words, "system", "panic"))
