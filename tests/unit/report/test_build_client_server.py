# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of NFS requests, from the run directory to every format."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import jsonschema
import pytest
import yaml
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

PROBES = ["nfs_client", "nfs_server"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """web1 waited 400 ms for each READ of nfs1, which took 390 of them on its disk."""
    manifests = {
        name: yaml.safe_load((catalog.shipped() / name / "probe.yml").read_text()) for name in PROBES
    }
    made = Builder(
        tmp_path_factory.mktemp("runs"), hosts=["nfs1", "web1"], probes=PROBES, manifests=manifests
    )
    made.build()
    made.window()
    asked = record("requests", 5000, "nfs1", "nfs4", "READ", 10, 0, 0, 3_990_000, 4_000_000, 450_000)
    waited = record("files", 5000, "read", "apache2", "/var/www/html/slow.html", 4, 1_000_000, 460_000, 0)
    served = record("operations", 5000, "10.77.0.11", 4, "READ", 10, 3_910_000, 3_900_000, 440_000)
    made.whole("web1", {"nfs_client": made.out(asked, waited), "nfs_server": made.out()})
    made.whole("nfs1", {"nfs_client": made.out(), "nfs_server": made.out(served)})
    made.preflight("web1", addresses=["10.0.2.15", "10.77.0.11"])
    made.preflight("nfs1", addresses=["10.0.2.15", "10.77.0.21"])
    registry.write(reports.build(made.path), made.path, list(registry.formats().values()))
    return made.path


def test_json(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    schema = Path(reports.__file__).with_name("report.schema.json")
    jsonschema.validate(report, json.loads(schema.read_text()))
    finding = report["findings"][0]
    assert (finding["kind"], finding["host"]) == ("sides", "nfs1")
    assert "390 ms of it (98%) in its file system and on its disk" in finding["sentence"]
    assert "/var/www/html/slow.html" in finding["sentence"]
    assert report["verdict"].startswith("nfs1: READ for web1 takes 400 ms on average")
    tables = {table["name"]: table for table in report["probes"][0]["tables"]}
    (row,) = tables["requests_by_side"]["rows"]
    assert (row["host"], row["key"]) == ("web1", ["nfs1", "READ"])


@pytest.mark.parametrize("file", ["report.txt", "report.md", "report.html"])
def test_pages_name_the_parts(run: Path, file: str) -> None:
    text = " ".join((run / file).read_text().split())
    for part in ("in the client", "on the network and in queues", "in its file system"):
        assert part in text.lower()


def test_text_shows_the_means_of_all_parts(run: Path) -> None:
    text = (run / "report.txt").read_text()
    row = next(line for line in text.splitlines() if line.startswith("web1") and "390 ms" in line)
    assert row.split()[:3] == ["web1", "nfs1", "READ"]


def test_csv(run: Path) -> None:
    with (run / "csv" / "nfs_client.requests_by_side.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][:5] == ["web1", "row", "nfs1", "READ", "10"]


def test_sqlite(run: Path) -> None:
    with sqlite3.connect(next(run.glob("*.sqlite"))) as database:
        found = database.execute(
            "SELECT host, server, operation, requests, time FROM nfs_client_requests_by_side"
        )
        assert found.fetchall() == [("web1", "nfs1", "READ", 10, 4.0)]
