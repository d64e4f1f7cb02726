# SPDX-License-Identifier: GPL-3.0-or-later
"""What load balancers said is in every format, and what must be seen first is seen first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rundirs import HOSTILE, Builder

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import (
    as_html,
    as_json,
    as_md,
    as_text,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import balancers, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import balancer_record, batches

SENTENCE = "web1 got 25 % instead of 50 % of the requests while it was probed; weights are as before; no request failed"
ALARM = "the weights of web1 were lowered on lb1 and are not known to be given back"


def told(path: Path, *, given_back: bool = True, names: tuple[str, str] = ("web1", "web2")) -> None:
    """balancers.json of a sweep that probed web1 with half its weight."""

    def counted(first: int, second: int, weight: int) -> dict[str, Any]:
        entry = {"socket": "s", "backend": "web", "http_5xx": 0, "no_connection": 0, "bad_response": 0}
        own = zip(names, (first, second), (weight, 100), strict=True)
        return {"servers": [{**entry, "server": n, "total": t, "weight": w} for n, t, w in own]}

    lowered = {"weights": {f"s: web/{names[0]}": {"before": 100, "after": 50}}}
    moments: list[tuple[balancers.Moment, dict[str, Any]]] = [
        ("before", counted(50, 50, 100)),
        ("lowered", lowered),
        ("start", counted(50, 50, 50)),
        ("end", counted(75, 125, 50)),
    ]
    if given_back:
        moments += [("restored", {"weights": {}}), ("after", counted(75, 125, 100))]
    data: balancers.BalancersRecord | None = None
    for moment, said in moments:
        servers = {"web1": names[0]} if moment == "lowered" else None
        data = balancer_record.added(
            data,
            moment=moment,
            batch=0,
            now=1.0,
            results={"lb1": said},
            servers=servers,
            weight="50%",
            ttl_s=60,
        )
    assert data is not None
    write.balancers(path, data)


@pytest.fixture
def run(tmp_path: Path) -> Builder:
    made = Builder(tmp_path, ["web1", "web2"])
    made.build()
    made.window()
    for host in made.hosts:
        made.whole(host, {"slow_open": made.out()})
    return made


def test_the_sentence_is_in_every_format(run: Builder) -> None:
    told(run.path)
    made = build.build(run.path, generated="now")
    assert " ".join(as_text.render(made).split()).count(SENTENCE) == 1
    assert SENTENCE in as_html.render(made)
    assert "web1 got" in as_md.render(made).replace("`", "")
    document = json.loads(as_json.render(made))
    assert document["traffic"][0]["sentences"] == [SENTENCE]
    assert document["traffic"][0]["servers"][0]["shares"] == [0.5, 0.25, None]
    assert "weights" not in made.verdict


def test_a_sweep_that_lowered_nothing_says_nothing_of_it(run: Builder) -> None:
    made = build.build(run.path, generated="now")
    assert "traffic" not in json.loads(as_json.render(made))
    assert "TRAFFIC" not in as_text.render(made)
    assert 'id="traffic"' not in as_html.render(made)


def test_weights_that_may_still_be_lowered_are_the_first_thing_said(run: Builder) -> None:
    told(run.path, given_back=False)
    made = build.build(run.path, generated="now")
    assert made.verdict.startswith("weights on load balancers may still be lowered; ")
    text = " ".join(as_text.render(made).split())
    assert f"CRITICAL {ALARM}" in text
    assert "fleetdiag abort -i INVENTORY -l lb1" in text
    assert ALARM in as_html.render(made)
    assert f"**critical** {ALARM.split(' web1')[0]}" in as_md.render(made)


def test_what_balancers_are_called_cannot_act(run: Builder) -> None:
    for name in HOSTILE:
        told(run.path, names=(name, "web2"))
        made = build.build(run.path, generated="now")
        assert not {"\x1b", "\x07", "\u202e"} & set(as_text.render(made))
        assert "<script>alert" not in as_html.render(made)


def test_hosts_that_were_waiting_for_a_canary_say_why_they_were_not_probed(tmp_path: Path) -> None:
    made = Builder(tmp_path, ["web1", "web2", "web3"])
    made.build()
    made.whole("web1", {"slow_open": made.out()}, sessions={})
    made.preflight("web2")
    made.preflight("web3")
    plan = batches.plan(made.hosts, dict.fromkeys(made.hosts, "web"), canary=1, batch="")
    window = {"start": 1_790_000_000.0, "end": 1_790_000_030.0}
    data = {
        **batches.opened(batches.planned(plan), 1, window),
        "stopped": "canary web1: its kernel said: BUG: x",
    }
    write.write_json(made.path, "window.json", data)
    rows = {row.host: row for row in build.build(made.path).coverage}
    assert rows["web1"].status == "probed"
    assert [(rows[host].status, rows[host].reason) for host in ("web2", "web3")] == [
        ("not probed", "canary web1: its kernel said: BUG: x")
    ] * 2


def test_batches_are_told_with_their_windows(run: Builder) -> None:
    plan = batches.plan(run.hosts, {}, canary="", batch=1)
    data = batches.opened(batches.planned(plan), 1, {"start": 1_790_000_000.0, "end": 1_790_000_030.0})
    data = batches.opened(data, 2, {"start": 1_790_000_100.0, "end": 1_790_000_130.0})
    write.write_json(run.path, "window.json", data)
    made = build.build(run.path, generated="now")
    assert "Windows: 2 of 30 s, one after the other, from 2026-09-21 14:13:20 UTC" in as_text.render(made)
    assert json.loads(as_json.render(made))["runs"][0]["batches"] == 2
    assert any("in 2 windows one after the other" in note for note in made.notes)
