# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of hosts that are all alike, with the heavy-tailed noise that such hosts have; and one that is not.

Eight probes, each with noise of another family, as records that go through the merger like any others:

opens      times open, lognormal (sigma 1.2); a row each; how many there are is a matter of chance (Poisson)
disks      times of requests, Pareto with exponent 2.2; a few devices and operations, many records
network    sizes, Pareto with exponent 1.8, whose variance is infinite; by process
waits      times, Student's distribution with 3 degrees of freedom around their mean, none below zero; by process
errors     numbers of events, zero seven times of ten, else negative binomial; by process and call
cache      hits and misses, Poisson, around rates that differ from host to host by 10 %
rare       events past a threshold, each of its own: negative binomial, one on average on every third host
connects   ten attempts on each host, their times Pareto with exponent 2.2, in rows of one to ten
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings.inputs import Evidence
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge import fleet as merge
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.merge.host import HostMerger
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import Row
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Table, Value

WINDOW_S = 30.0
FACTOR = 5.0
"""What a planted host has more of."""
EVENTS = 6
"""Events of a planted host, where all others have none."""
CONNECTS = 10
SLOW_CONNECTS = 40.0
"""How many times as long each connect of a planted host takes."""


def _measure(kind: str, merged: str, compare: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    data = {"type": kind, "role": "measure", "merge": merged, "description": "A measure.", **more}
    data.setdefault("more_is", "worse")
    if kind == "duration":
        data["unit"] = "s"
    if kind == "bytes":
        data["unit"] = "B"
    return data | ({"compare": dict(compare)} if compare is not None else {})


def _derived(kind: str, compare: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "more_is": "worse", "description": "Derived.", "compare": dict(compare), **more}


_KEY = {"type": "string", "role": "key", "description": "A key."}
_HOST = {"scope": "host"}
_BY_KEY = {"scope": "key"}

TABLES: dict[str, dict[str, Any]] = {
    "opens": {
        "what": "files open longer than 1 s",
        "columns": {
            "path": {**_KEY, "type": "path"},
            "longest": _measure("duration", "max", {**_HOST, "min_difference": 1}),
            "median": _measure("duration", "p50", _HOST),
        },
        "derived": {"files": _derived("int", {**_HOST, "min_difference": 3}, merge="records")},
    },
    "disks": {
        "columns": {
            "device": _KEY,
            "operation": _KEY,
            "requests": _measure("int", "sum", more_is="neutral"),
            "time": _measure("duration", "sum", {**_HOST, "min_difference": 0.1}),
            "slow": _measure("duration", "p95", _HOST),
            "longest": _measure("duration", "max", _BY_KEY),
        },
        "derived": {
            "latency": _derived("duration", {**_BY_KEY, "min_samples": 10}, ratio=["time", "requests"])
        },
    },
    "network": {
        "columns": {
            "process": _KEY,
            "sent": _measure("bytes", "sum", {**_HOST, "min_difference": 1000}, more_is="neutral"),
            "received": _measure("bytes", "sum", {**_HOST, "min_difference": 1000}, more_is="neutral"),
        },
        "derived": {"packets": _derived("int", _HOST, merge="records")},
    },
    "waits": {
        "columns": {
            "process": _KEY,
            "time": _measure("duration", "sum", _HOST),
            "usual": _measure("duration", "mean", _HOST),
            "median": _measure("duration", "p50", _HOST),
        }
    },
    "errors": {
        "columns": {
            "process": _KEY,
            "call": _KEY,
            "errors": _measure("int", "sum", {**_BY_KEY, "min_difference": 20}),
            "all": _measure("int", "sum", {**_HOST, "min_difference": 20}),
        }
    },
    "cache": {
        "columns": {
            "process": _KEY,
            "hits": _measure("int", "sum", more_is="better"),
            "misses": _measure("int", "sum", {**_HOST, "min_difference": 100}),
            "lookups": _measure("int", "sum", more_is="neutral"),
        },
        "derived": {"missed": _derived("float", _HOST, ratio=["misses", "lookups"], unit="%")},
    },
    "rare": {
        "what": "calls slower than 1 s",
        "columns": {"path": {**_KEY, "type": "path"}, "longest": _measure("duration", "max", {**_HOST})},
        "derived": {"calls": _derived("int", {**_HOST, "min_difference": 3}, merge="records")},
        "events": {"count": "calls", "worst": "longest"},
    },
    "connects": {
        "columns": {
            "address": _KEY,
            "attempts": _measure("int", "sum", more_is="neutral"),
            "time": _measure("duration", "sum", more_is="neutral"),
            "longest": _measure("duration", "max"),
        },
        "derived": {
            "latency": _derived(
                "duration",
                {**_HOST, "min_difference": 0.01, "min_ratio": 3, "min_samples": 3},
                ratio=["time", "attempts"],
                largest="longest",
            )
        },
    },
}

PLANTS = {
    "opens": ("records", "seconds"),
    "disks": ("time",),
    "network": ("records", "bytes"),
    "waits": ("time",),
    "errors": ("counts",),
    "cache": ("counts",),
    "rare": ("six against none",),
    "connects": ("40 times, n = 10",),
}
"""What can be planted in each."""


@functools.cache
def table(name: str) -> Table:
    manifest = {
        "description": f"Noise: {name}.",
        "question": "Which host is different?",
        "output": "rows",
        "cost": "low",
        "tables": {name: {"description": "Synthetic.", **TABLES[name]}},
    }
    return catalog.probe_from_manifest(name, manifest).tables[name]


@dataclass(frozen=True)
class Plant:
    """The host that is not like the others, in one of the probes."""

    host: str
    probe: str
    what: str


def report(
    seed: int, hosts: int = 50, plant: bool = False, among: Sequence[str] = tuple(PLANTS)
) -> tuple[list[Evidence], Plant | None]:
    """One report's evidence. plant: one host has FACTOR times as much of something, in one of these probes."""
    rng = random.Random(seed)  # noqa: S311 (the same noise every time)
    names = [f"web{number:03}" for number in range(hosts)]
    planted = None
    if plant:
        probe = rng.choice(list(among))
        planted = Plant(rng.choice(names), probe, rng.choice(PLANTS[probe]))
    return [_probe(name, names, rng, planted) for name in TABLES], planted


def _probe(name: str, hosts: Sequence[str], rng: random.Random, plant: Plant | None) -> Evidence:
    fleet = merge.FleetMerger(name, table(name))
    for host in hosts:
        what = ""
        if plant and plant.probe == name:
            what = plant.what if plant.host == host else _OTHERS
        merger = HostMerger(table(name))
        for number, values in enumerate(_MAKERS[name](rng, what), 1):
            merger.add(Row(name, 1000, number, values))
        fleet.add(host, merger, WINDOW_S)
    return Evidence(name, {}, [fleet.finish()], dict.fromkeys(hosts, WINDOW_S))


# --- records ---
# plant: what is planted in a host's records of a probe, _OTHERS in those of the others, nothing where nothing is.

_OTHERS = "others"


def _opens(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    many = _poisson(rng, 60 * (FACTOR if plant == "records" else 1))
    factor = FACTOR if plant == "seconds" else 1
    for number in range(many):
        seconds = factor * rng.lognormvariate(0, 1.2)
        yield f"/srv/{number}", seconds, seconds


def _disks(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    factor = FACTOR if plant == "time" else 1.0
    for device, operation, records in (("vda", "read", 120), ("vda", "write", 80), ("vdb", "write", 40)):
        for _ in range(records):
            time = factor * 0.002 * rng.paretovariate(2.2)
            yield device, operation, 1, time, time, time


def _network(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    factor = FACTOR if plant == "bytes" else 1.0
    for _ in range(_poisson(rng, 200 * (FACTOR if plant == "records" else 1))):
        sent = round(factor * 200 * rng.paretovariate(1.8))
        yield f"process{rng.randrange(25)}", sent, round(factor * 100 * rng.paretovariate(1.8))


def _waits(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    factor = FACTOR if plant == "time" else 1.0
    for number in range(150):
        time = factor * max(0.0, 0.01 * (1 + 0.5 * _student(rng, 3)))
        yield f"process{number % 20}", time, time, time


def _errors(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    factor = FACTOR if plant == "counts" else 1.0
    for number in range(240):
        errors = 0 if rng.random() < 0.7 else _poisson(rng, rng.gammavariate(2.0, 4.0))
        count = round(factor * errors)
        yield f"process{number % 12}", f"call{number % 4}", count, count


def _cache(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    own = rng.lognormvariate(0, 0.1)
    misses = rng.lognormvariate(0, 0.1) * (FACTOR if plant == "counts" else 1.0)
    for number in range(60):
        hit, missed = _poisson(rng, 400 * own), _poisson(rng, 20 * own * misses)
        yield f"process{number % 10}", hit, missed, hit + missed


def _rare(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    chance = _poisson(rng, rng.gammavariate(2.0, 0.15))
    for number in range({"": chance, _OTHERS: 0}.get(plant, EVENTS)):
        yield f"/srv/{number}", rng.lognormvariate(0, 1.2)


def _connects(rng: random.Random, plant: str) -> Iterator[tuple[Value, ...]]:
    factor = 1.0 if plant in ("", _OTHERS) else SLOW_CONNECTS
    times = [factor * 0.002 * rng.paretovariate(2.2) for _ in range(CONNECTS)]
    a_row = rng.choice((1, 2, 5, 10))
    for at in range(0, CONNECTS, a_row):
        some = times[at : at + a_row]
        yield "10.0.0.1", len(some), sum(some), max(some)


_MAKERS: dict[str, Callable[[random.Random, str], Iterable[tuple[Value, ...]]]] = {
    "opens": _opens,
    "disks": _disks,
    "network": _network,
    "waits": _waits,
    "errors": _errors,
    "cache": _cache,
    "rare": _rare,
    "connects": _connects,
}


# --- distributions that `random` lacks ---


def _student(rng: random.Random, degrees: float) -> float:
    return rng.gauss(0, 1) / math.sqrt(rng.gammavariate(degrees / 2, 2.0) / degrees)


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count
