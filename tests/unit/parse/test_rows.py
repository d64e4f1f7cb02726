# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import decode, encode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row

Fixture = Callable[..., Any]
NONCE = "0123456789abcdef"
FILES = {
    "slow_files": {
        "process": {"type": "string", "role": "key"},
        "path": {"type": "path", "role": "key"},
        "seconds": {"type": "duration", "role": "measure", "unit": "us", "merge": "max"},
    },
    "still_open": {"path": {"type": "path", "role": "key"}},
}


def test_rows_of_several_tables(make_probe: Fixture, read: Fixture) -> None:
    output = (
        f"{NONCE}\t1\t@armed\t-4000\t1790000000000\n"
        f"{NONCE}\t2\tslow_files\t8500\tapache2\t/var/www/html/lectura_lenta.html\t8471285\n"
        f"{NONCE}\t3\tstill_open\t30000\t/var/log/a\\tb\n"
    )
    rows, result = read(make_probe("rows", FILES), output.encode())
    assert rows == [
        Row("slow_files", 8500, 2, ("apache2", "/var/www/html/lectura_lenta.html", 8.471285)),
        Row("still_open", 30000, 3, ("/var/log/a\tb",)),
    ]
    assert (result.rows, result.rejected_lines, result.lost_records) == (2, 0, 0)


def test_blank_lines_are_nothing_and_stray_text_is_rejected(make_probe: Fixture, read: Fixture) -> None:
    _, result = read(make_probe("rows", FILES), b"\n \n\nhello\n")
    assert result.rejected_lines == 1


@given(st.lists(st.tuples(st.binary(), st.binary(), st.integers(0, 10**15))))
def test_no_name_can_forge_a_row(files: list[tuple[bytes, bytes, int]]) -> None:
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import Protocol
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.rows import RowsForm

    form, protocol = _form()
    assert isinstance(form, RowsForm)
    assert isinstance(protocol, Protocol)
    output = b"".join(
        b"%s\t%d\tslow_files\t1\t%s\t%s\t%d\n" % (NONCE.encode(), seq, encode(name), encode(path), us)
        for seq, (name, path, us) in enumerate(files, start=1)
    )
    rows = [form.record(protocol.read(line)) for line in output.split(b"\n") if line]
    assert [row.values for row in rows] == [
        (decode(encode(name)), decode(encode(path)), us / 1_000_000) for name, path, us in files
    ]


def _form() -> tuple[object, object]:
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import Protocol
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.rows import RowsForm
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import (
        probe_from_manifest,
    )

    columns = {key: {"description": "It.", **value} for key, value in FILES["slow_files"].items()}
    manifest = {
        "description": "A.",
        "question": "A?",
        "output": "rows",
        "cost": "low",
        "tables": {"slow_files": {"description": "Rows.", "columns": columns}},
    }
    return RowsForm(probe_from_manifest("p", manifest)), Protocol(NONCE, SessionResult())
