# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Column

TYPES = ("string", "int", "float", "bytes", "duration", "path", "timestamp", "bool")


def column(kind: str, unit: str = "") -> Column:
    return Column("c", kind, "key", "It.", unit=unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "unit", "printed", "value"),
    [
        ("int", "", b"42", 42),
        ("int", "", b"-1", -1),
        ("int", "", b"9223372036854775807", 2**63 - 1),
        ("int", "", b"-9223372036854775808", -(2**63)),
        ("float", "", b"8.471285", 8.471285),
        ("float", "", b"-2e3", -2000.0),
        ("float", "", b"7", 7.0),
        ("bytes", "B", b"1024", 1024),
        ("bytes", "KB", b"3", 3072),
        ("bytes", "MB", b"1", 1 << 20),
        ("duration", "us", b"8471285", 8.471285),
        ("duration", "ms", b"1500", 1.5),
        ("duration", "ns", b"1", 1e-9),
        ("duration", "s", b"8.471285", 8.471285),
        ("timestamp", "ms", b"1790000000000", 1790000000000),
        ("bool", "", b"1", True),
        ("bool", "", b"false", False),
        ("string", "", rb"a\tb", "a\tb"),
        ("path", "", b"/var/www/x", "/var/www/x"),
        ("string", "", b"", ""),
    ],
)
def test_values(kind: str, unit: str, printed: bytes, value: object) -> None:
    read = cell(column(kind, unit))(printed)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "printed"),
    [
        *(("int", bad) for bad in (b"", b"x", b"1.0", b"1e3", b"+1", b" 1", b"1 ", b"0x10", b"1_0", b"--1")),
        *(("int", str(bad).encode()) for bad in (2**70, 2**63, -(2**63) - 1)),
        ("int", "٣".encode()),
        *(
            ("float", bad)
            for bad in (b"NaN", b"nan", b"inf", b"-inf", b"1e309", b"-1e400", b"", b".", b"1.", b"0x1p3")
        ),
        ("float", b"9" * 5000),
        *(("bytes", bad) for bad in (b"-1", b"1.5", str(2**63).encode(), b"")),
        *(("duration", bad) for bad in (b"-1", b"NaN", b"1e309", b"")),
        *(("bool", bad) for bad in (b"2", b"yes", b"")),
        ("timestamp", b"yesterday"),
    ],
)
def test_what_does_not_fit_is_rejected(kind: str, printed: bytes) -> None:
    with pytest.raises(LineError, match=r"^c "):
        cell(column(kind))(printed)


def test_kilobytes_beyond_64_bits_are_rejected() -> None:
    with pytest.raises(LineError):
        cell(column("bytes", "KB"))(str(2**62).encode())


@pytest.mark.parametrize("kind", TYPES)
@given(printed=st.binary() | st.from_regex(rb"-?[0-9]{1,30}(\.[0-9]{1,5})?(e[0-9]{1,4})?", fullmatch=True))
def test_a_cell_is_a_value_of_json_or_rejected(kind: str, printed: bytes) -> None:
    try:
        value = cell(column(kind))(printed)
    except LineError:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    if isinstance(value, float):
        assert math.isfinite(value)
