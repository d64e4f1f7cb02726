# SPDX-License-Identifier: GPL-3.0-or-later
"""report.prom, read back by Prometheus' own parsers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import reportdata
import rundirs
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rundirs import Builder, record

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import as_openmetrics
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports

Samples = dict[str, dict[tuple[str, ...], float]]


def read(text: str) -> Samples:
    """Values by metric and by label values, the same from both parsers."""
    assert text.endswith("# EOF\n")
    strict = list(openmetrics.text_string_to_metric_families(text))
    plain = list(text_string_to_metric_families(text))
    assert [family.type for family in strict] == ["gauge"] * len(strict)
    found: list[Samples] = [
        {
            family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
            for family in families
        }
        for families in (strict, plain)
    ]
    assert found[0] == found[1]
    return found[0]


def test_a_few_figures_per_host(tmp_path: Path) -> None:
    found = read(as_openmetrics.render(reportdata.found(reportdata.sweep(tmp_path))))
    assert found["fleetdiag_hosts"][("probed",)] == 2
    assert found["fleetdiag_hosts"][("degraded",)] == 1
    assert found["fleetdiag_host_status"] == {
        ("web1", "probed"): 1,
        ("web2", "probed"): 1,
        ("web3", "degraded"): 1,
    }
    assert found["fleetdiag_findings"] == {("critical",): 1, ("warning",): 0, ("info",): 1}
    assert found["fleetdiag_host_findings"][("web3", "critical")] == 1
    assert found["fleetdiag_session_losses"] == {("web3", "slow_open", "late"): 1}
    assert found["fleetdiag_session_sampled"][("web1", "nettop")] == 1
    assert found["fleetdiag_slow_open_slow_files_seconds"] == {("web3",): 8.471285}
    assert found["fleetdiag_nettop_traffic_sent_bytes"] == {
        ("web1",): 18000,
        ("web2",): 36000,
        ("web3",): 54000,
    }
    assert found["fleetdiag_window_start_seconds"] == {(): rundirs.START}


def test_no_name_from_a_host_becomes_a_series(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1"])
    made.window()
    rows = [record("slow_files", 9, f"p{n}", "/x", 2_000_000, 1) for n in range(2000)]
    made.whole("web1", {"slow_open": made.out(*rows)})
    text = as_openmetrics.render(reports.build(made.path))
    assert "p17" not in text
    assert len(text.splitlines()) < 100


def test_labels_are_escaped(tmp_path: Path) -> None:
    assert as_openmetrics._escaped('a"b\nc\\') == 'a\\"b\\nc\\\\'
    found = read(as_openmetrics.render(reportdata.hostile(tmp_path)))
    hosts = {host for host, _ in found["fleetdiag_host_status"]}
    wanted = ["\n".join(map(printable, text.split("\n"))) for text in rundirs.HOSTILE]
    assert hosts == {*wanted, "web1", "\\ud800", "../../../evilhost"}


@given(st.text(max_size=30))
def test_any_label_is_read_back(text: str) -> None:
    family = as_openmetrics._Family("fleetdiag_x", text, samples=[({"host": text}, 1)])
    lines = "\n".join([*as_openmetrics._shown(family), "# EOF\n"])
    (read_back,) = openmetrics.text_string_to_metric_families(lines)
    (sample,) = read_back.samples
    assert sample.labels == {"host": "\n".join(map(printable, text.split("\n")))}


def test_names_of_metrics_keep_to_the_rules(tmp_path: Path) -> None:
    manifest = json.loads(json.dumps(rundirs.SLOW_OPEN))
    columns: dict[str, Any] = manifest["tables"]["slow_files"]["columns"]
    for name in ("read_total", "read_count", "seconds_info", "used_bytes"):
        columns[name] = {**columns["opens"]}
    columns["used_bytes"].update(type="bytes", unit="KB")
    made = Builder(tmp_path, ["web1"], manifests={"slow_open": manifest})
    made.window()
    made.whole("web1", {"slow_open": made.out(record("slow_files", 9, "p", "/x", 2_000_000, 1, 2, 3, 4, 5))})
    found = read(as_openmetrics.render(reports.build(made.path)))
    start = "fleetdiag_slow_open_slow_files_"
    assert {
        name.removeprefix(start): list(values.values()) for name, values in found.items() if start in name
    } == {
        "seconds": [2.0],
        "opens": [1],
        "read_total_value": [2],
        "read_count_value": [3],
        "seconds_info_value": [4],
        "used_bytes": [5120],
    }


def test_an_empty_sweep(tmp_path: Path) -> None:
    assert read(as_openmetrics.render(reports.build(Builder(tmp_path, []).path)))["fleetdiag_findings"]
