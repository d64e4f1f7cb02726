# SPDX-License-Identifier: GPL-3.0-or-later
"""Many rows of many hosts -> one table with the host in front, with totals per host, per key and of the
fleet.

Rows are folded as they come, so memory grows with the number of distinct keys and not with the rows; keys
beyond a cap are folded into one explicit `other` (key None, so that no process called "(other)" can pass for
it). Hosts are folded one after the other in the order of their names: the result does not depend on the
order they are given in.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.groups import (
    Budget,
    Folded,
    Groups,
    Keys,
    Measures,
    plus,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger, is_compared
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.keys import Rates
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.limits import (
    MAX_KEYS,
    MAX_ROWS_PER_HOST,
    MAX_SERIES_PER_HOST,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.order import row_order
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.refold import (
    only_folded,
    without_last,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.results import (
    HostTable,
    KeyTotal,
    MergedTable,
    Total,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table

# --- folding ---


class FleetMerger:
    """Takes the hosts of one table one after the other; nothing but the result is kept of a host.

    The result is independent of the order in which hosts were asked if they come sorted by name, each once.
    """

    def __init__(
        self,
        probe: str,
        table: Table,
        interval_s: float | None = None,
        max_keys: int = MAX_KEYS,
        max_rows: int = MAX_ROWS_PER_HOST,
        max_series: int = MAX_SERIES_PER_HOST,
    ) -> None:
        self._table = table
        self._max_rows = max_rows
        self._groups = Groups(Measures(table, weighed=is_compared(table, "key")))
        self._keys = Keys(self._groups, Budget(max_keys))
        self._hosts: list[int] = []
        self._rates: list[list[float | None]] = [[] for _unused in self._groups.rated]
        self._merged = MergedTable(
            probe, table, interval_s if table.interval else None, max_series=max_series
        )

    def add(self, host: str, merger: HostMerger, sampled_s: float | None) -> None:
        """Fold a host in. sampled_s: seconds it really sampled, or None if that is not known."""
        self.take(
            merger.finish(host, sampled_s, self._max_rows, self._merged.max_series), merger.folded(sampled_s)
        )

    def take(self, table: HostTable, folded: Folded) -> None:
        """Fold in a host whose table was made elsewhere."""
        self._merged.hosts.append(table)
        groups = self._keys.numbers(folded.keys)
        new = len(self._groups.rows) - len(self._hosts)
        self._hosts.extend([0] * new)
        self._groups.join(groups, folded.states, folded.rows)
        for group in groups:
            self._hosts[group] += 1
        for mine, rates in zip(self._rates, folded.rates, strict=True):
            mine.extend([0.0] * new)
            for group, rate in zip(groups, rates, strict=True):
                mine[group] = plus(mine[group], rate)

    def finish(self) -> MergedTable:
        """Return the table of the fleet."""
        merged, rank, groups = self._merged, row_order(self._table), self._groups
        numbers = list(self._keys.values())
        triples = zip(self._keys, numbers, groups.values(numbers), strict=True)
        named = [(key, number, values) for key, number, values in triples if key is not None]
        named.sort(key=lambda item: rank("", item[0], item[2]))
        merged.keys = [
            KeyTotal(
                key,
                values if self._hosts[number] == 1 else without_last(self._table, values),
                self._rates_of(number),
                self._hosts[number],
                groups.rows[number],
            )
            for key, number, values in named
        ]
        late = self._keys.get(None)
        if late is not None:
            (values,) = groups.values([late])
            merged.other_keys = Total(values, self._rates_of(late), groups.rows[late], 0, True)
        everything = [number for _unused, number, _unused2 in named] + ([] if late is None else [late])
        total = self._sum_up(everything, len(named)) if everything else None
        several = len(everything) > 1 or len(merged.hosts) > 1
        merged.total = only_folded(self._table, total) if total and several else total
        merged.hosts.sort(key=lambda item: rank(item.host, (), item.total.values))
        return merged

    def _rates_of(self, group: int) -> Rates:
        return self._groups.in_rows([rates[group] for rates in self._rates])

    def _sum_up(self, everything: Sequence[int], keys: int) -> Total:
        whole = self._groups.together(everything)
        (values,), (parts,) = whole.values([0]), whole.parts([0])
        sums = [functools.reduce(plus, (rates[group] for group in everything)) for rates in self._rates]
        more = None in self._keys
        return Total(values, whole.in_rows(sums), whole.rows[0], keys, more, parts)
