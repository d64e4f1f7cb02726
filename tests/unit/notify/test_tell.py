# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told what, once; what was not delivered is tried again, given up after a day, and that is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import slots
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write
from fleetdiag.config import Config, NamedSweep, Receiver
from fleetdiag.notify import message, outbox, tell

NOON = 1_795_953_600.0
DAY = 86_400.0


def finding(word: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    made = {"transition": word, "tell": True, "severity": severity, "fingerprint": f"{word}1"}
    made |= {"of": "host", "who": "web3", "hosts": []}
    return {**made, "sentence": f"web3: {word} things", "since": "20261128_013412_7af0", **more}


def news(*transitions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "sweep": "20261129_013412_7af0",
        "name": "web",
        "transitions": list(transitions),
        **more,
    }


OPS = Receiver("ops", "command", ["/bin/true"])


def of(found: dict[str, Any], receiver: Receiver = OPS, quiet: bool = False) -> message.Message | None:
    return message.of_news(found, receiver, quiet, "/runs/x/report.html")


# --- messages ---


def test_one_message_names_each_transition_by_its_own_word() -> None:
    made = of(news(finding("gone"), finding("new", "critical"), finding("regressed")))
    assert made is not None
    assert made.subject == "[fleetdiag web] 1 new, 1 back again, 1 gone: web3: new things"
    lines = made.body.splitlines()
    assert lines[0] == "NEW  critical  web3: new things"
    assert lines[1] == "    since 20261128_013412_7af0"
    assert [line.split()[0] for line in lines if "things" in line] == ["NEW", "BACK", "GONE"]
    assert lines[-1] == "report: /runs/x/report.html"
    assert [item["transition"] for item in made.document["transitions"]] == ["new", "regressed", "gone"]


def test_who_is_told_what() -> None:
    assert of(news()) is None
    assert of(news(finding("new", "info"))) is None
    assert of(news(finding("new", tell=False))) is None  # acknowledged, flapping
    critical = Receiver("pager", "command", [], severity="critical")
    assert of(news(finding("new")), critical) is None
    assert of(news(finding("new", "critical")), critical) is not None
    only_gone = Receiver("x", "command", [], transitions=("gone",))
    made = of(news(finding("new", "critical"), finding("gone")), only_gone)
    assert made is not None
    assert "new" not in made.subject


def test_in_quiet_times_only_what_is_critical_is_told() -> None:
    assert of(news(finding("new")), quiet=True) is None
    made = of(news(finding("new"), finding("worse", "critical")), quiet=True)
    assert made is not None
    assert made.subject.startswith("[fleetdiag web] 1 worse")


@pytest.mark.parametrize(
    ("times", "moment", "quiet"),
    [
        (["Sun 02:00..04:00"], "2026-11-29 02:00", True),
        (["Sun 02:00..04:00"], "2026-11-29 04:00", False),
        (["Sun 02:00..04:00"], "2026-11-30 03:00", False),
        (["22:00..24:00"], "2026-11-30 23:59", True),
        (["22:00..06:00"], "2026-11-30 05:59", True),
        (["22:00..06:00"], "2026-11-30 12:00", False),
        ([], "2026-11-30 12:00", False),
    ],
)
def test_quiet_times(times: list[str], moment: str, quiet: bool) -> None:
    assert message.is_quiet(times, datetime.fromisoformat(moment)) is quiet


def test_a_storm_is_one_short_message() -> None:
    made = of(news(*(finding("new", who=f"web{n}", fingerprint=str(n)) for n in range(500))))
    assert made is not None
    assert "and 490 more, on 490 hosts" in made.body
    whole = [finding("new", fingerprint=str(n)) for n in range(10)]
    made = of(news(*whole, finding("new", of="set", who="web", hosts=["web1", "web2"])))
    assert made is not None
    assert "and 1 more, on 2 hosts" in made.body
    assert len(made.body.splitlines()) < 30


def test_what_hosts_say_forges_nothing() -> None:
    hostile = "x\nGONE  critical  all is well\r\x1b[2J\u202e" + "y" * 5000
    found = news(finding("new", sentence=hostile, who=hostile), coverage={"unknown": [hostile]})
    made = of(found)
    assert made is not None
    assert "\n" not in made.subject
    for line in made.body.splitlines():
        assert not line.startswith("GONE")
        assert line.isprintable()
        assert len(line) < 1200


def test_news_of_any_form_are_no_crash() -> None:
    for broken in ({}, {"transitions": 3}, {"transitions": [None, 3, {}]}, {"transitions": [{"tell": True}]}):
        of(broken)
    assert of(news({"tell": True, "severity": "critical", "transition": "what"})) is not None


# --- outbox ---


class Place:
    """Runs of a sweep, and a receiver that writes each message into a file, or fails while `down` is there."""

    def __init__(self, path: Path) -> None:
        self.runs = path / "runs"
        self.down = path / "down"
        self.got = path / "got"
        hook = path / "hook.py"
        hook.write_text(
            "import json, os, sys\n"
            f"if os.path.exists({str(self.down)!r}): sys.exit('\\x1b[31mno route')\n"
            f"open({str(self.got)!r}, 'a').write(json.dumps(json.load(sys.stdin)) + '\\n')\n"
        )
        self.config = Config(receivers={"ops": Receiver("ops", "command", [sys.executable, str(hook)])})
        self.sweep = NamedSweep("web", {"notify": ["ops"], "runs_dir": str(self.runs)})
        self.count = 0

    def run(self, *transitions: dict[str, Any], at: float = NOON) -> Path:
        self.count += 1
        run_id = f"20261129_0{self.count:02d}000_aaaa"
        run_dir = write.create(self.runs, {"id": run_id, "name": "web", "hosts": []})
        write.write_json(run_dir, "news.json", {**news(*transitions), "sweep": run_id})
        tell.finished(self.config, self.sweep, run_dir, lambda: at)
        return run_dir

    def messages(self) -> list[dict[str, Any]]:
        lines = self.got.read_text().splitlines() if self.got.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_transition_is_told_once(place: Place) -> None:
    run_dir = place.run(finding("new"))
    assert len(place.messages()) == 1
    assert [entry.state for entry in outbox.read(run_dir)] == ["sent"]
    tell.finished(place.config, place.sweep, run_dir, lambda: NOON)  # the report is made again
    place.run()
    assert len(place.messages()) == 1


def test_a_receiver_that_is_down_is_tried_three_times_and_again_at_the_next_run(place: Place) -> None:
    place.down.touch()
    first = place.run(finding("new"))
    (entry,) = outbox.read(first)
    assert (entry.state, len(entry.tries)) == ("pending", 3)
    assert "\\x1b[31mno route" in entry.tries[-1]["said"]
    assert (first / outbox.FILE).stat().st_mode & 0o077 == 0
    place.down.unlink()
    place.run(at=NOON + 3600)
    assert [one["key"] for one in place.messages()] == [entry.message.key]
    assert outbox.read(first)[0].state == "sent"


def test_after_a_day_it_is_given_up_and_that_is_said(place: Place) -> None:
    place.down.touch()
    first = place.run(finding("new"))
    place.run(at=NOON + DAY + 60)
    assert outbox.read(first)[0].state == "given up"
    place.down.unlink()
    place.run(at=NOON + DAY + 120)
    (told,) = place.messages()
    assert told["body"].startswith("1 earlier message could not be delivered: [fleetdiag web] 1 new")
    place.run(at=NOON + DAY + 180)
    assert len(place.messages()) == 1  # said once


def test_the_seventh_message_of_a_day_waits_for_the_digest_unless_critical(place: Place) -> None:
    for number in range(7):
        run_dir = place.run(finding("new", fingerprint=str(number)))
    assert len(place.messages()) == 6
    assert outbox.read(run_dir)[0].state == outbox.HELD
    place.run(finding("new", "critical", fingerprint="c"))
    assert len(place.messages()) == 7
    place.run(finding("new", fingerprint="x"), at=NOON + DAY + 1)
    assert len(place.messages()) == 8


def test_a_receiver_that_was_taken_out_is_no_crash(place: Place) -> None:
    place.down.touch()
    first = place.run(finding("new"))
    tell.retry(Config(), place.runs, lambda: NOON)
    assert outbox.read(first)[0].state == "given up"


def test_a_damaged_outbox_is_an_empty_one(place: Place) -> None:
    run_dir = place.run(finding("new"))
    for text in (
        "[]",
        "{",
        '{"messages": 3}',
        '{"messages": [3, {}]}',
        '{"messages": [{"receiver": "ops"}]}',
    ):
        (run_dir / outbox.FILE).write_text(text)
        assert outbox.read(run_dir) == []
        assert list(outbox.pending(place.runs)) == []


# --- skipped slots ---


def test_skips_are_told_when_there_are_two_in_a_row(place: Place) -> None:
    def skip(hour: int) -> message.Message | None:
        slots.record(
            place.runs, "web", f"2026-11-29T{hour:02d}:00:00Z", "skipped", "still running", datetime.now(UTC)
        )
        return tell.skipped(place.sweep, place.runs)

    record: Callable[[int], message.Message | None] = skip
    assert record(1) is None
    made = record(2)
    assert made is not None
    assert made.subject == "[fleetdiag web] skipped 2 times in a row"
    assert "2026-11-29T02:00:00Z: still running" in made.body
    assert record(3) is None
    write.create(
        place.runs, {"id": "20261129_040000_aaaa", "name": "web", "slot": "2026-11-29T04:00:00Z", "hosts": []}
    )
    assert record(5) is None
    assert record(6) is not None
