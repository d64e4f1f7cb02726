# SPDX-License-Identifier: GPL-3.0-or-later
"""A run directory of unknown origin: every format is written and inert, or there is one sentence; nothing else.

What was found once is kept in corpus/rundir/, one mutation list a file, and is tried first.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
import rundirs
from bounds import assert_sentence, bounded
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render import publish, registry
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import build as reports
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import write

CORPUS = Path(__file__).parent / "corpus" / "rundir"
NUMBERS = [
    "1e400",
    "-1e400",
    "9" * 400,
    "-" + "9" * 400,
    "9" * 5000,
    "NaN",
    "-Infinity",
    "1e308",
    "5e-324",
    "-0.0",
]
NUMBERS += [
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775808",
    "-1",
    "0",
    "1e15",
    "253402300800",
    "1e-9",
]
WORDS = ["null", "true", "[]", "{}", '""', "[1]", '{"a": 1}', "[[[[[[[[]]]]]]]]", "[" * 5000 + "]" * 5000]
TEXTS = [json.dumps(text) for text in (*rundirs.HOSTILE, "x" * 5000, "\0", "\ud800", "a\u0301" * 40, "../..")]
VALUES = [*NUMBERS, *WORDS, *TEXTS]

Mutation = list[Any]
"""[what, number of the file, number of the place in it, number of the value], all taken modulo."""


def _balanced() -> dict[str, Any]:
    counts = {"socket": "/s", "backend": "b", "server": "web1", "weight": 100, "total": 10, "failed": 0}
    said = {"weights": {"/s: b/web1": {"before": 100, "after": 50}}, "until": 1790000600, "servers": [counts]}
    return {
        "weight": "50%",
        "servers": {"web1": "web1"},
        "moments": [
            {"moment": "before", "batch": 0, "t": 1.0, "balancers": {"lb1": {"servers": [counts]}}},
            {"moment": "lowered", "batch": 0, "t": 3.0, "hosts": ["web1"], "balancers": {"lb1": said}},
            {"moment": "after", "batch": 0, "t": 5.0, "balancers": {"lb1": {"servers": [counts]}}},
            {"moment": "restored", "batch": 0, "t": 6.0, "balancers": {"lb1": {"weights": {}, "left": {}}}},
        ],
    }


def base(folder: Path) -> Path:
    """A small whole run: two hosts, every output form, a load balancer, earlier figures, events."""
    names = ["slow_open", "nettop", "fs_calltrace", "notes"]
    made = rundirs.Builder(folder, ["web1", "web2"], names)
    made.window()
    made.build(failed={"notes": ("semantic error: no", 3)})
    for host in made.hosts:
        outputs = {
            "slow_open": made.out(
                *(rundirs.record("slow_files", n, "a", f"/x{n}", 2_000_000, 1) for n in range(3))
            ),
            "nettop": made.out(*(rundirs.record("traffic", 5000 * n, "a", "eth0", n, 9) for n in range(4))),
            "fs_calltrace": made.out(payload="     0 ls(7): ->f\n     9 ls(7): <-f\n"),
            "notes": made.out(payload="one\ntwo\n"),
        }
        made.whole(host, outputs, err={"slow_open": "WARNING: Number of errors: 0, skipped probes: 2\n"})
    made.event("web1", "arm", "ok")
    made.event("web2", "collect", "failed", "no")
    write.write_json(made.path, "balancers.json", _balanced())
    publish.write(made.path, reports.build(made.path, generated="now"))
    table = {"seconds": {"web1": [[0, 1.0, None, 30.0]], "web2": [[0, 2.0, 1.0, 30.0]]}}
    past = {"format": 1, "sweeps": ["20261122_080000_ab12"]}
    kept = {**past, "probes": [{"probe": "slow_open", "tables": {"slow_files": table}}]}
    write.write_json(made.path, "baseline.json", kept)
    return Path(made.path)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values within a JSON value."""
    if here:
        yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*here, key))


def _change_json(text: str, what: str, place: int, value: str) -> str:
    data = json.loads(text)
    known = list(places(data))
    if not known:
        return value
    *way, last = known[place % len(known)]
    parent = data
    for key in way:
        parent = parent[key]
    if what == "drop":
        del parent[last]
    elif what == "name" and isinstance(parent, dict):
        parent[json.loads(value) if value.startswith('"') else value[:100]] = parent.pop(last)
    else:
        parent[last] = "@value@"
    return json.dumps(data).replace('"@value@"', value)


def mutate(run: Path, mutation: Mutation) -> None:
    """Change one file of a run directory."""
    what, number, place, choice = mutation
    files = sorted(path for path in run.rglob("*") if path.suffix in (".json", ".jsonl", ".gz", ".err"))
    if not files:
        return
    file, value = files[number % len(files)], VALUES[choice % len(VALUES)]
    raw = file.read_bytes()
    if what == "remove":
        file.unlink()
    elif what == "cut":
        file.write_bytes(raw[: place % (len(raw) + 1)])
    elif what == "twice":
        file.write_bytes(raw + raw)
    elif file.suffix == ".json":
        try:
            changed = _change_json(raw.decode(), what, place, value)
        except (ValueError, RecursionError):
            return  # damaged by an earlier mutation
        file.write_text(changed, encoding="utf-8", errors="backslashreplace")
    else:
        try:
            plain = gzip.decompress(raw) if file.suffix == ".gz" else raw
        except (OSError, EOFError):
            return
        words = plain.split(b"\t" if file.suffix == ".gz" else b" ")
        words[place % len(words)] = value.encode("utf-8", "backslashreplace")[:2000]
        plain = (b"\t" if file.suffix == ".gz" else b" ").join(words)
        file.write_bytes(gzip.compress(plain, mtime=0) if file.suffix == ".gz" else plain)


def report_or_sentence(run: Path, out: Path) -> None:
    """Make every format there is; each is inert, or one sentence says why there is none."""
    out.mkdir()
    with bounded():
        try:
            report = reports.build(run, generated="now")
            registry.write(report, out, registry.chosen([registry.ALL]))
        except FleetdiagError as why:
            assert_sentence(why)
            return
    hostile.assert_inert(out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base(tmp_path_factory.mktemp("base"))


def _try(whole: Path, mutations: list[Mutation]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = folder / "runs" / whole.name
        shutil.copytree(whole, run)
        for mutation in mutations:
            mutate(run, mutation)
        report_or_sentence(run, folder / "out")


ONE = st.tuples(
    st.sampled_from(["value", "value", "value", "value", "drop", "name", "cut", "twice", "remove"]),
    st.integers(0, 60),
    st.integers(0, 400),
    st.integers(0, len(VALUES) - 1),
).map(list)


def test_a_record_of_the_far_future_makes_no_course_up_to_it(tmp_path: Path) -> None:
    """Found: a list with a place for each of 10**14 intervals before it."""
    run = rundirs.Builder(tmp_path / "runs", ["web1"], ["nettop"])
    run.window()
    run.build()
    late = [rundirs.record("traffic", when, "a", "eth0", 1, 9) for when in (5000, 2**62)]
    run.whole("web1", {"nettop": run.out(*late)})
    report_or_sentence(run.path, tmp_path / "out")
    table = json.loads((tmp_path / "out" / "report.json").read_text())["probes"][0]["tables"][0]
    assert table["total"]["rows"] == 2


@given(mutations=st.lists(ONE, min_size=1, max_size=4))
def test_any_damage_ends_in_a_report_or_a_sentence(whole: Path, mutations: list[Mutation]) -> None:
    _try(whole, mutations)


@pytest.mark.parametrize("case", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_found_once(tmp_path: Path, case: Path) -> None:
    """Each is the path of a file, the place in it, and the raw JSON value put there."""
    run = base(tmp_path / "runs")
    for name, place, value in json.loads(case.read_text()):
        file = run / name
        data = json.loads(file.read_text())
        parent = data
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = "@value@"
        file.write_text(json.dumps(data).replace('"@value@"', value))
    report_or_sentence(run, tmp_path / "out")
