# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of requests while hosts were probed: from what balancers counted, moment by moment."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import traffic
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import balancers
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.balancers import BalancersRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import balancer_record

T = 1_790_000_000.0
LABEL = "/run/lb.sock: web/web1"


def counted(web1: int, web2: int, *, weight: int = 100, failed: int = 0, **more: Any) -> dict[str, Any]:
    """What one balancer says: sessions of two servers, and the weight of the first."""
    rows = [("web1", web1, weight, failed), ("web2", web2, 100, 0), ("", web1 + web2, None, failed)]
    return {
        "servers": [
            {
                "socket": "/run/lb.sock",
                "backend": "web",
                "server": server,
                "mode": "http",
                "status": "UP",
                "weight": own,
                "total": total,
                "http_5xx": bad,
                "no_connection": 0,
                "bad_response": 0,
            }
            for server, total, own, bad in rows
        ],
        **more,
    }


class Sweep:
    """balancers.json as a sweep writes it, for two balancers that say the same."""

    def __init__(self) -> None:
        self.data: BalancersRecord | None = None
        self.now = T

    def tell(self, moment: balancers.Moment, said: dict[str, Any], *, batch: int = 0, **more: Any) -> Sweep:
        self.now += 10
        results = {name: dict(said) for name in ("lb1", "lb2")}
        self.data = balancer_record.added(
            self.data, moment=moment, batch=batch, now=self.now, results=results, **more
        )
        return self

    def lower(self, host: str = "web1", *, batch: int = 0) -> Sweep:
        said = {"weights": {f"/run/lb.sock: web/{host}": {"before": 100, "after": 50}}, "settled": True}
        return self.tell("lowered", said, batch=batch, servers={host: host}, weight="50%", ttl_s=300)

    def give_back(self, *, batch: int = 0) -> Sweep:
        return self.tell("restored", {"weights": {LABEL: {"after": 100}}, "left": {}}, batch=batch)

    def read(self) -> traffic.Traffic:
        kept = json.dumps(self.data.to_json() if self.data else {})
        told = traffic.read(BalancersRecord.from_json(json.loads(kept)))
        assert told is not None
        return told


def whole(failed: int = 0, after: int = 100) -> Sweep:
    sweep = Sweep().tell("sweep", counted(0, 0)).tell("before", counted(50, 50)).lower()
    sweep.tell("start", counted(60, 60, weight=50)).tell("end", counted(84, 136, weight=50, failed=failed))
    sweep.give_back().tell("restored", counted(84, 136, weight=after, failed=failed))
    return sweep.tell("after", counted(104, 156, weight=after, failed=failed))


def test_a_sentence_says_what_the_host_got_instead_and_that_all_is_as_before() -> None:
    told = whole().read()
    assert told.sentences == (
        "web1 got 24 % instead of 50 % of the requests while it was probed; weights are as before; no request failed",
    )
    assert (told.alarms, told.notes, told.balancers, told.weight) == ((), (), ("lb1", "lb2"), "50%")


def test_a_line_for_each_server_of_the_backend_over_both_balancers() -> None:
    web1, web2 = whole().read().servers
    assert (web1.server, web1.host, web2.server, web2.host) == ("web1", "web1", "web2", "")
    assert web1.shares == (0.5, 0.24, 0.5)
    assert web1.sessions == (100, 48, 40)
    assert [(w.balancer, w.before, w.during, w.after) for w in web1.weights] == [
        ("lb1", 100, 50, 100),
        ("lb2", 100, 50, 100),
    ]
    assert (web1.failed, web2.failed) == (0, 0)


def test_failed_requests_are_counted_from_the_first_change_on() -> None:
    told = whole(failed=3).read()
    assert told.sentences[0].endswith("; 6 requests to it failed")
    assert told.servers[0].failed == 6


def test_a_weight_that_is_another_one_now_is_said() -> None:
    assert (
        "its weight is 77 instead of 100 on lb1, 77 instead of 100 on lb2"
        in whole(after=77).read().sentences[0]
    )


def test_weights_that_nobody_gave_back_are_an_alarm_with_the_command() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower().tell("start", counted(60, 60, weight=50))
    first, second = sweep.read().alarms
    assert first == (
        "the weights of web1 were lowered on lb1 and are not known to be given back; the balancer's own timer does at"
        " 14:18:40 UTC; at once: fleetdiag abort -i INVENTORY -l lb1"
    )
    assert "-l lb2" in second
    assert traffic.left_lowered(sweep.data) == [0]
    assert sweep.give_back().read().alarms == ()
    assert traffic.left_lowered(sweep.data) == []


def test_a_balancer_that_did_not_answer_when_asked_to_give_back_is_an_alarm() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower()
    assert sweep.data is not None
    results = {"lb1": {"weights": {}, "left": {}}, "lb2": {"trouble": "lb2 cannot be reached"}}
    sweep.data = balancer_record.added(sweep.data, moment="restored", batch=0, now=T, results=results)
    (alarm,) = sweep.read().alarms
    assert "on lb2 and are not known to be given back (lb2 cannot be reached)" in alarm


OWED = {LABEL: {"weight": 100, "why": "/run/lb.sock: timed out"}}


def test_a_weight_that_a_balancer_could_not_give_back_is_an_alarm_with_the_weight_and_the_command() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower()
    assert sweep.data is not None
    results = {
        "lb1": {"weights": {}, "left": {}, "owed": OWED, "trouble": "lb1: weight 100 is not given back yet"},
        "lb2": {"weights": {LABEL: {"after": 100}}, "left": {}, "owed": {}},
    }
    sweep.data = balancer_record.added(sweep.data, moment="restored", batch=0, now=T, results=results)
    (alarm,) = sweep.read().alarms
    assert alarm == (
        "the weight of web1 (/run/lb.sock: web/web1) is still lowered on lb1: /run/lb.sock: timed out; the balancer"
        " tries again by itself; at once: set its weight to 100, or fleetdiag abort -i INVENTORY -l lb1"
    )
    assert sweep.read().notes == ()
    # It was asked once more, and did it: or its timer had done so already, and it had nothing left to do.
    assert sweep.tell("restored", {"weights": {}, "left": {}, "owed": {}}).read().alarms == ()


def test_a_weight_that_lowering_could_not_take_back_is_an_alarm() -> None:
    said = {"owed": OWED, "trouble": "lb1: timed out"}
    sweep = Sweep().tell("before", counted(50, 50)).tell("lowered", said, servers={"web1": "web1"})
    assert sweep.data is not None
    assert ["set its weight to 100" in alarm for alarm in sweep.read().alarms] == [True, True]
    assert traffic.left_lowered(sweep.data) == [0]
    assert sweep.tell("restored", {"weights": {LABEL: {"after": 100}}}).read().alarms == ()


def test_in_an_older_file_the_reason_tells_what_is_owed() -> None:
    """`left` had both: what is somebody else's, and what could not be done."""
    sweep = Sweep().tell("before", counted(50, 50)).lower()
    left = {
        LABEL: "/run/lb.sock: timed out",
        "/run/lb.sock: web/web2": "its weight is 77, not the 50 we had set",
    }
    told = sweep.tell("restored", {"weights": {}, "left": left}).read()
    assert ["set its weight to 100" in alarm for alarm in told.alarms] == [True, True]
    assert [note.partition(": ")[2] for note in told.notes] == [
        "web/web2 was left alone: its weight is 77, not the 50 we had set"
    ] * 2


def test_a_server_that_says_its_weight_itself_is_noted_once_for_each_balancer() -> None:
    said = {"weights": {LABEL: {"before": 100, "after": 50}}, "agents": [LABEL]}
    sweep = Sweep().tell("before", counted(50, 50))
    for batch in (0, 1):
        sweep.tell("lowered", said, batch=batch, servers={"web1": "web1"})
    assert [note for note in sweep.read().notes if "agent-check" in note] == [
        f"{balancer}: web/web1 says its weight itself (agent-check), so it may not have stayed lowered"
        for balancer in ("lb1", "lb2")
    ]


def test_what_was_left_may_be_a_list_of_sentences() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower()
    told = sweep.tell("restored", {"weights": {}, "left": ["web/web1: its weight is 77"]}).read()
    assert told.alarms == ()
    assert "lb1: was left alone: web/web1: its weight is 77" in told.notes


def test_a_balancer_that_did_not_say_what_it_counts_is_noted_once() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower()
    for moment in ("start", "end"):
        sweep.tell(moment, {"trouble": "lb: timed out"})
    told = sweep.give_back().read()
    assert "lb1 did not say what it counts (start, end): lb: timed out" in told.notes
    assert told.alarms == ()


def test_with_little_traffic_before_the_share_is_that_since_the_balancer_started() -> None:
    sweep = Sweep().tell("sweep", counted(300, 100)).tell("before", counted(300, 100)).lower()
    sweep.tell("start", counted(300, 100, weight=50)).tell("end", counted(310, 130, weight=50)).give_back()
    assert sweep.read().servers[0].shares == (0.75, 0.25, None)


def test_without_any_traffic_nothing_is_made_up() -> None:
    sweep = Sweep().tell("before", counted(0, 0)).lower().tell("start", counted(0, 0, weight=50))
    sweep.tell("end", counted(0, 0, weight=50)).give_back()
    assert "was to get less, but no request came while it was probed" in sweep.read().sentences[0]


def test_a_balancer_that_was_reloaded_counts_from_zero() -> None:
    sweep = Sweep().tell("before", counted(500, 500)).lower().tell("start", counted(510, 510, weight=50))
    sweep.tell("end", counted(20, 60)).give_back()
    told = sweep.read()
    assert told.servers[0].shares[1] == 0.25
    assert any("was reloaded meanwhile" in note for note in told.notes)


def test_each_batch_is_measured_in_its_own_window() -> None:
    sweep = Sweep().tell("before", counted(100, 100), batch=1).lower(batch=1)
    sweep.tell("start", counted(100, 100, weight=50), batch=1).tell("end", counted(120, 180), batch=1)
    sweep.give_back(batch=1).tell("before", counted(120, 180), batch=2).lower("web2", batch=2)
    sweep.tell("start", counted(120, 180), batch=2).tell("end", counted(180, 200), batch=2).give_back(batch=2)
    web1, web2 = sweep.read().servers
    assert (web1.shares[1], web2.shares[1]) == (0.2, 0.25)


def test_of_a_batch_that_was_cut_off_nobody_knows_the_weights() -> None:
    sweep = Sweep().tell("before", counted(100, 100), batch=1).lower(batch=1)
    sweep.tell("start", counted(100, 100, weight=50), batch=1).tell("end", counted(120, 180), batch=1)
    sweep.give_back(batch=1).tell("restored", counted(120, 180), batch=1).lower("web2", batch=2)
    first, second = sweep.read().sentences
    assert "; weights are as before; " in first
    assert "; what its weights are now is not known; " in second
    assert "got less, but was not probed to the end" in second


def test_of_an_interrupted_sweep_the_weights_that_were_given_back_are_known() -> None:
    sweep = Sweep().tell("before", counted(50, 50)).lower().give_back()
    assert sweep.read().sentences == (
        "web1 got less, but was not probed to the end; weights are as before; of failed requests nothing is known",
    )
    assert [(w.before, w.during, w.after) for w in sweep.read().servers[0].weights] == [(100, 50, 100)] * 2


def test_hosts_that_cannot_be_lowered_are_left_out_with_the_reason_or_named() -> None:
    results = {"lb1": {"unfit": {"web1": "only 0 others"}, "weights": {}}}
    for probe_unfit, key in ((False, "left_out"), (True, "full_weight")):
        data = balancer_record.added(
            None,
            moment="lowered",
            batch=0,
            now=T,
            results=results,
            servers={"a": "web1", "b": "web2"},
            probe_unfit=probe_unfit,
        )
        assert data.to_json()[key] == {"a": "it cannot be given less traffic: only 0 others"}
    told = traffic.read(data)
    assert told is not None
    assert "a was probed at its full weight: it cannot be given less traffic: only 0 others" in told.notes


def test_where_a_balancer_has_trouble_no_host_is_lowered() -> None:
    data = balancer_record.added(
        None,
        moment="lowered",
        batch=0,
        now=T,
        results={"lb1": {"trouble": "lb1 cannot be reached"}},
        servers={"a": "a"},
    )
    assert data.why_not("a") == "it cannot be given less traffic: lb1 cannot be reached"
    assert data.why_not("b") == ""


def test_what_is_in_the_file_is_not_trusted() -> None:
    assert traffic.read(None) is None
    for data in (
        {"moments": 3},
        {"moments": [3, {"moment": "lowered", "balancers": {"lb1": {"weights": []}}}]},
    ):
        told = traffic.read(BalancersRecord.from_json({"weight": 1, **data}))
        assert told is not None
        assert told.servers == ()
