# SPDX-License-Identifier: GPL-3.0-or-later
"""Any output of a session is rows, lines and losses, in every output form; any manifest is a probe or one sentence."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import rundirs
from bounds import assert_sentence, bounded
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog

TABLE = copy.deepcopy(rundirs.NETTOP)
TABLE["output"] = "table"
FORMS = {**rundirs.MANIFESTS, "listed": TABLE}
WORDS = [
    rundirs.NONCE.encode(),
    b"@start",
    b"@end",
    b"@armed",
    b"slow_files",
    b"traffic",
    b"9",
    b"-1",
    b"9" * 400,
]
WORDS += [
    b"1e400",
    b"process dev packets sent",
    b"     0 ls(7): ->f",
    b"<-f",
    b"\\777",
    b"\\U00110000",
    b"\xff",
]
GAPS = [b"\t", b"\t", b"\t", b"\n", b"\n", b" ", b"\r\n", b"\0", b""]
OUTPUT = st.lists(
    st.tuples(st.sampled_from(WORDS) | st.binary(max_size=12), st.sampled_from(GAPS)), max_size=60
).map(lambda parts: b"".join(word + gap for word, gap in parts))


@pytest.mark.parametrize("form", sorted(FORMS))
@given(output=OUTPUT)
@example(output=b"")
@example(output=(rundirs.NONCE + "\t1\t@start\t0\t" + "9" * 400 + "\n").encode())
def test_any_output_is_read(form: str, output: bytes) -> None:
    probe = catalog.probe_from_manifest(form, copy.deepcopy(FORMS[form]))
    with bounded():
        session = parse_session(probe, rundirs.NONCE, io.BufferedReader(io.BytesIO(output)), 1 << 20)  # type: ignore[arg-type]
        rows = sum(1 for _ in session)
    assert rows <= output.count(b"\n") + 1


ODD: st.SearchStrategy[Any] = st.sampled_from(
    ["(a+)+$", "(a|aa)*", "x" * 500, "\ud800", 1e400, 10**400, -1, True, None, [], {}, [[]], {"a": {}}]
)


@given(
    form=st.sampled_from(sorted(FORMS)),
    way=st.lists(st.integers(0, 12), max_size=6),
    key=st.sampled_from(["", "ignore", "pattern", "limits", "merge", "unit", "host", "columns", "views"]),
    value=ODD,
)
@example(form="listed", way=[4, 0], key="ignore", value="(a+)+$")
def test_any_manifest_is_a_probe_or_a_sentence(form: str, way: list[int], key: str, value: Any) -> None:
    data = copy.deepcopy(FORMS[form])
    place = data
    for step in way:
        inner = [item for item in place.values() if isinstance(item, dict) and item]
        if not inner:
            break
        place = inner[step % len(inner)]
    names = list(place)
    place[key or names[len(way) % len(names)]] = value
    with bounded():
        try:
            catalog.probe_from_manifest("p", data)
        except FleetdiagError as why:
            assert_sentence(why)
