# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs of scripts made from known data, in the styles in which people print: the reference of what a report may show.

`printed(seed)` gives what a few hosts printed, the script, and for each section what is true of each name on each host.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

NAMES = (
    "nginx",
    "mysqld",
    "crond",
    "php-fpm",
    "my app",
    "tmux: server",
    "kworker/u4:1",
    "(udev-worker)",
    "ls",
    "dd",
)
NAMES += (
    "Web Content",
    "/usr/sbin/sshd",
    "a_rather_long_process_name",
    "0xffffffff8a70fa3f",
    "eth0",
    "sda1",
    "[kthreadd]",
)
KEYS = ("PROCESS", "process", "Name", "COMM", "execname", "device", "Command", "FILE")
COUNTS = ("READS", "writes", "COUNT", "calls", "Events", "OPENS", "requests", "errors", "PACKETS")
UNITS = (
    ("LAT_US", "us"),
    ("time (ms)", "ms"),
    ("BYTES", "B"),
    ("KB read", "KB"),
    ("AVG", "own"),
    ("OPS", "scale"),
)
FACTORS: dict[str, float] = {"us": 1e-6, "ms": 1e-3, "B": 1, "KB": 1024, "": 1}
TITLES = ("Top readers", "Top writers:", "--- errors by process", "Slowest", "System calls")
NOISE = (
    "Collecting data... Type Ctrl-C to exit",
    "WARNING: something was skipped",
    "",
    "======================",
)
PLAIN = ("tab", "comma", "comma blank", "semicolon")
SEPARATORS = {"tab": "\t", "comma": ",", "comma blank": ", ", "semicolon": ";"}
STYLES = (
    *(
        "aligned",
        "aligned",
        "aligned",
        "left",
        "single",
        "tab",
        "comma",
        "comma blank",
        "semicolon",
        "list",
        "list",
    ),
    *("colon", "equals", "pairs", "histogram", "linear", "log", "trace"),
    *("events", "blocks", "twins", "between"),
    *("pid", "number first", "json", "sums", "twin lists", "percent"),
)

Key = tuple[str, ...]
Print = dict[Key, tuple[float, ...]]


@dataclass
class Section:
    """One table. prints: by host what each print says of each name, as the report should read it.

    counts_up: each print holds what the ones before it held.
    """

    style: str
    titles: Sequence[str]
    kinds: Sequence[str]
    title: str = ""
    counts_up: bool = False
    prints: dict[str, list[Print]] = field(default_factory=dict)

    def expected(self, host: str, key: Key, place: int, merge: str) -> float | None:
        """Return what is true of a name on a host; None if it was never printed, or the merge has no truth."""
        values = [each[key][place] for each in self.prints.get(host, ()) if key in each]
        if not values:
            return None
        if merge in ("sum", "count", "records"):
            return values[-1] if self.counts_up else sum(values)
        if merge == "mean" and self.counts_up:
            return values[-1]
        return {
            "last": values[-1],
            "max": max(values),
            "min": min(values),
            "mean": sum(values) / len(values),
        }[merge]


@dataclass
class Printed:
    """What hosts printed, with the truth. data_lines: lines that hold figures of a section, in all."""

    script: str
    outputs: Mapping[str, str]
    sections: Sequence[Section]
    data_lines: int


def printed(seed: int) -> Printed:
    """Return the outputs of this seed: always the same."""
    return _Maker(random.Random(seed)).made()  # noqa: S311


class _Maker:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.data_lines = 0
        self.first = True

    def made(self) -> Printed:
        rng = self.rng
        hosts = [f"web{number}" for number in range(1, rng.randrange(2, 5))]
        prints = rng.choice((1, 1, 2, 3, 5))
        sections = self.sections()
        noise = rng.random() < 0.3
        texts: dict[str, list[str]] = {}
        sick = rng.choice((*hosts, ""))
        for host in hosts:
            last: dict[int, Print] = {}
            texts[host] = []
            for number in range(prints):
                texts[host].append(f"@@T {5000 * (number + 1)}")
                for at, section in enumerate(sections):
                    if at and section.title == "only sick" and host != sick:
                        continue
                    figures = self.figures(section, last.get(at), sick == host)
                    last[at] = figures
                    section.prints.setdefault(host, []).append(figures)
                    self.first = number == 0
                    texts[host] += self.lines(section, figures)
                    texts[host].append("")
                if noise and rng.random() < 0.5:
                    texts[host].append(rng.choice(NOISE))
        outputs = {host: "\n".join(lines) + "\n" for host, lines in texts.items()}
        return Printed(self.script(sections), outputs, sections, self.data_lines)

    def sections(self) -> list[Section]:
        rng = self.rng
        style = rng.choice(STYLES)
        several = style in ("aligned", "left", "list", "tab", "comma", "semicolon")
        count = 2 if style.startswith("twin") else rng.choice((1, 1, 2, 3)) if several else 1
        titles = rng.sample(TITLES, count)
        counts_up = rng.random() < 0.35 and style not in ("log", "events", "percent")
        same = rng.random() < 0.4 or style == "twins"
        found = []
        for at in range(count):
            measures = (
                1
                if style in ("list", "twin lists", "colon", "equals", "histogram", "linear")
                else rng.randrange(1, 4)
            )
            columns = [
                rng.choice(UNITS) if rng.random() < 0.4 else (name, "")
                for name in rng.sample(COUNTS, measures)
            ]
            if style == "percent":
                columns[-1] = ("%CPU", "%")
            if style in ("json", "sums", "between"):
                columns = [(name, "") for name in rng.sample(COUNTS, measures)]
            if style in ("list", "twin lists", "colon", "equals", "log", "histogram", "linear"):
                columns = [("value", "")] * measures
            head = [rng.choice(KEYS), *(["PID"] if style == "pid" else []), *dict(columns)]
            kinds = list(dict(columns).values())
            if at and same:
                head, kinds = list(found[0].titles), list(found[0].kinds)
            if style.startswith("twin"):
                titles = [""] * count
            titled = style in ("list", "histogram", "linear") or count > 1 or rng.random() < 0.3
            found.append(Section(style, head, kinds, titles[at] if titled else "", counts_up))
        return found

    def script(self, sections: Sequence[Section]) -> str:
        """Return the script that prints this, or nothing: then it is not known."""
        if self.rng.random() < 0.3:
            return ""
        names = [f"a{number}" for number in range(len(sections))]
        if sections[0].style in ("log", "trace"):
            return 'probe syscall.read.return { printf("%s reads %d\\n", execname(), retval) }'
        counted = "".join(f" {name}[execname()]++" for name in names)
        shown = "".join(f' foreach (p in {name}-) printf("%s %d\\n", p, {name}[p])' for name in names)
        emptied = "" if sections[0].counts_up else "".join(f" delete {name}" for name in names)
        helper = " s[tid()] = 1 delete s[tid()]" if self.rng.random() < 0.5 else ""
        return (
            f"global {', '.join(names)}, s\nprobe syscall.read {{{counted}{helper} }}\n"
            f"probe timer.s(5) {{{shown}{emptied} }}\n"
        )

    # --- figures

    def figures(self, section: Section, before: Print | None, sick: bool) -> Print:
        rng = self.rng
        if section.style in ("histogram", "linear"):
            return self.buckets(section, before)
        if section.style == "sums":
            fresh: list[Key] = [()]
        else:
            more = (str(rng.randrange(1, 9)),) if section.style == "pid" else ()
            fresh = [(name, *more) for name in rng.sample(NAMES, rng.randrange(3, 7))]
        names = list(before) if before and section.counts_up else []
        names += [name for name in fresh if name not in names]
        found: Print = {}
        for key in names:
            grown = tuple(self.figure(kind, sick) for kind in section.kinds)
            if section.counts_up and before and key in before:
                grown = tuple(
                    max(old, new) if kind == "own" else self.exact(old + new, kind)
                    for old, new, kind in zip(before[key], grown, section.kinds, strict=True)
                )
            found[key] = grown
        return found

    def figure(self, kind: str, sick: bool) -> float:
        rng = self.rng
        if kind == "own":
            return rng.randrange(1, 999) * (1e-3 if sick and rng.random() < 0.7 else 1e-6)
        if kind == "%":
            return rng.randrange(0, 1000) / 10
        if kind == "scale":
            return rng.choice(
                (rng.randrange(1, 999), rng.randrange(1, 99) * 100 + 1000, rng.randrange(1, 9) * 1_000_000)
            )
        most = 10 ** rng.randrange(1, 7)
        return rng.randrange(0, most) * FACTORS[kind]

    @staticmethod
    def exact(value: float, kind: str) -> float:
        """Return a figure that can be printed in few digits."""
        if kind == "scale" and value >= 1_000_000:
            return value // 1_000_000 * 1_000_000
        return value // 100 * 100 if kind == "scale" and value >= 1000 else value

    def buckets(self, section: Section, before: Print | None) -> Print:
        rng = self.rng
        linear = section.style == "linear"
        bounds = range(0, 100, 10) if linear else [2**power for power in range(1, 9)]
        found = {(section.title.strip(" :-"), str(bound)): (float(rng.randrange(0, 50)),) for bound in bounds}
        if linear and rng.random() < 0.7:
            found[(section.title.strip(" :-"), ">90")] = (float(rng.randrange(1, 9)),)
        if section.counts_up and before:
            found = {key: (value[0] + before.get(key, (0.0,))[0],) for key, value in found.items()}
            found |= {key: value for key, value in before.items() if key not in found}
        return found

    # --- lines

    def lines(self, section: Section, figures: Print) -> Iterator[str]:
        ways: dict[str, Callable[[Section, Print], Iterator[str]]] = {
            "list": self.listed,
            "pairs": self.pairs,
            "colon": self.signed,
            "equals": self.signed,
            "histogram": self.histogram,
            "linear": self.histogram,
            "log": self.log,
            "trace": self.trace,
            "twin lists": self.listed,
            "number first": self.number_first,
            "json": self.json,
            "sums": self.sums,
            "between": self.between,
        }
        if section.title and section.style not in ("log", "trace", "pairs"):
            yield section.title
        made = list(ways.get(section.style, self.table)(section, figures))
        self.data_lines += len(made)
        yield from made

    def texts(self, section: Section, values: Sequence[float]) -> list[str]:
        return [_text(value, kind) for value, kind in zip(values, section.kinds, strict=True)]

    def table(self, section: Section, figures: Print) -> Iterator[str]:
        rows = [[*key, *self.texts(section, values)] for key, values in figures.items()]
        total = len(section.kinds) == 1 and section.kinds[0] == "" and self.rng.random() < 0.2
        if total:
            rows.append(["TOTAL", _text(sum(values[0] for values in figures.values()), "")])
        if section.style in PLAIN:
            yield from (SEPARATORS[section.style].join(row) for row in [list(section.titles), *rows])
            return
        width = 14 if section.style != "single" else 0
        once = section.style in ("events", "blocks") and not self.first
        for number, row in enumerate([list(section.titles), *rows]):
            if number == 0 and once:
                continue
            name = (
                f"{row[0]:<{width + 4}}"
                if section.style != "aligned" or width == 0
                else f"{row[0]:>{width + 4}}"
            )
            rest = [
                f"{field:>{width}}" if section.style == "aligned" else f"{field:<{width}}"
                for field in row[1:]
            ]
            yield " ".join([name, *rest]).rstrip()
            if number == 0 and len(figures) % 3 == 0:
                yield "-" * 30

    def number_first(self, section: Section, figures: Print) -> Iterator[str]:
        yield " ".join([*(f"{title:>12}" for title in section.titles[1:]), section.titles[0]])
        for key, values in figures.items():
            yield " ".join([*(f"{text:>12}" for text in self.texts(section, values)), key[0]])

    def json(self, section: Section, figures: Print) -> Iterator[str]:
        for key, values in figures.items():
            named = zip(section.titles[1:], (int(value) for value in values), strict=True)
            yield json.dumps({"name": key[0], **dict(named)})

    def sums(self, section: Section, figures: Print) -> Iterator[str]:
        if self.first:
            yield " ".join(f"{title:>12}" for title in section.titles[1:])
        for values in figures.values():
            yield " ".join(f"{text:>12}" for text in self.texts(section, values))

    def between(self, section: Section, figures: Print) -> Iterator[str]:
        for number, line in enumerate(self.table(section, figures)):
            yield line
            if number == 3 and self.rng.random() < 0.3:
                yield "WARNING: skipped a probe"

    def listed(self, section: Section, figures: Print) -> Iterator[str]:
        for key, values in figures.items():
            yield f"{key[0]:<28} {_text(values[0], ''):>10}"

    def signed(self, section: Section, figures: Print) -> Iterator[str]:
        sign = ": " if section.style == "colon" else " = "
        for key, values in figures.items():
            yield f"{key[0]}{sign}{_text(values[0], '')}"

    def pairs(self, section: Section, figures: Print) -> Iterator[str]:
        for key, values in figures.items():
            named = [("name", f'"{key[0]}"' if " " in key[0] else key[0])]
            titles = [
                title.replace(" ", "_").replace("(", "").replace(")", "") for title in section.titles[1:]
            ]
            named += list(zip(titles, self.texts(section, values), strict=True))
            yield " ".join(f"{title}={text}" for title, text in named)

    def histogram(self, section: Section, figures: Print) -> Iterator[str]:
        yield "value |-------------------------------------------------- count"
        for (_, bound), (count,) in figures.items():
            yield f"{bound:>5} |{'@' * min(50, int(count)):<50} {int(count):>6}"

    def log(self, section: Section, figures: Print) -> Iterator[str]:
        for number, (key, values) in enumerate(figures.items()):
            yield f"12:00:{number:02} {key[0]} read {_text(values[0], '')} bytes after waiting"

    def trace(self, section: Section, figures: Print) -> Iterator[str]:
        blank = " " if int(next(iter(figures.values()))[0]) % 2 else ""
        for number in range(len(figures)):
            yield f"     0 app({number + 5}): ->{blank}do_read"
            yield f"     3 app({number + 5}):  ->{blank}do_wait"
            yield f"     8 app({number + 5}):  <-{blank}do_wait"
            yield f"    11 app({number + 5}): <-{blank}do_read"


def _text(value: float, kind: str) -> str:
    if kind == "%":
        return f"{value:.1f}"
    if kind == "own":
        return f"{round(value * 1e6)}us" if value < 0.999e-3 else f"{round(value * 1e3)}ms"
    if kind == "scale":
        if value >= 1_000_000:
            return f"{int(value // 1_000_000)}M"
        return f"{value / 1000:.1f}K" if value >= 1000 else str(int(value))
    return str(round(value / FACTORS[kind]))
