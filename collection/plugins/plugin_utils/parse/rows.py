# SPDX-License-Identifier: GPL-3.0-or-later
"""Output form `rows`: each line is one record of a declared table, and every other line is rejected."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.field_values import cell
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row, SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import LineError, Record
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe


class RowsForm:
    """Reads the records of the tables a probe declares."""

    def __init__(self, probe: Probe) -> None:
        self._cells = {
            table.name: [cell(column) for column in table.columns] for table in probe.tables.values()
        }

    def record(self, record: Record) -> Row:
        cells = self._cells.get(record.table)
        if cells is None:
            raise LineError("unknown table")
        if len(record.fields) != len(cells):
            raise LineError(f"{len(record.fields)} fields instead of {len(cells)}")
        values = tuple(read(field) for read, field in zip(cells, record.fields, strict=True))
        return Row(record.table, record.t_ms, record.seq, values)

    def line(self, line: bytes, _t_ms: int | None = None) -> Row | None:
        if not line.strip():
            return None
        raise LineError("not a record of this session")

    def finish(self, result: SessionResult) -> None:
        """Do nothing: no row is kept back."""
