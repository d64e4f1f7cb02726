# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of NFS and its server have seen of the same requests, written down row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Value

CLIENT, SERVER = catalog.find(["nfs_client", "nfs_server"], [catalog.shipped()])
ADDRESSES = {
    # All machines of a lab share the first.
    "web1": ["10.0.2.15", "10.77.0.11"],
    "web2": ["10.0.2.15", "10.77.0.12", "fd00:0:0:0::12"],
    "nfs1": ["10.0.2.15", "10.77.0.21", "fd00::21"],
}
FILE = ("read", "apache2", "/var/www/html/archivo/informe_anual.html", 4, 2.0, 1.25, 0)
# Slower than any call on FILE, but only one.
ONCE = ("open", "apache2", "/var/www/html/health.html", 1, 1.5, 1.5, 0)
OPENED = ("open", "apache2", "/var/www/html/archivo/informe_anual.html", 1, 4.0, 0.2, 0)
Rows = Mapping[str, Sequence[tuple[Value, ...]]]


def evidence(name: str, tables: Mapping[str, Rows]) -> Evidence:
    probe = {"nfs_client": CLIENT, "nfs_server": SERVER}[name]
    hosts = sorted({host for rows in tables.values() for host in rows})
    merged = []
    for table, rows in tables.items():
        fleet = merge.FleetMerger(name, probe.tables[table], 5)
        for host in sorted(rows):
            merger = HostMerger(probe.tables[table], 5)
            for number, values in enumerate(rows[host], 1):
                merger.add(Row(table, 5000, number, values))
            fleet.add(host, merger, 30.0)
        merged.append(fleet.finish())
    return Evidence(name, {"threshold_ms": 10}, merged, dict.fromkeys(hosts, 30.0))


def asked(
    server: str, time: float, round_trip: float, count: int = 10, operation: str = "READ"
) -> tuple[Value, ...]:
    """A row of the client: seconds of a request on average."""
    return (server, "nfs4", operation, count, 0, 0.0, round_trip * count, time * count, time)


def served(
    client: str, time: float, below: float, count: int = 10, operation: str = "READ"
) -> tuple[Value, ...]:
    return (client, 4, operation, count, time * count, below * count, time)
