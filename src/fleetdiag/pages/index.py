# SPDX-License-Identifier: GPL-3.0-or-later
"""`index.html` beside the runs: what is open, how the named sweeps fare, hosts, runs. No script, nothing from outside.

Jinja escapes every text, and each is made printable before: hosts choose some of them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.phrases import plural
from fleetdiag.config import Config
from fleetdiag.notify import summary
from fleetdiag.notify.message import clean
from fleetdiag.notify.summary import STRIP, Mark, Summary
from fleetdiag.notify.textfile import STATUSES
from fleetdiag.pages import hosts
from fleetdiag.schedule import clock

FILE = "index.html"
MAX_OPEN = 50
MAX_RUNS = 100
_FOLDER = Path(__file__).resolve().parent


def write(config: Config, runs_dir: Path, now: float) -> None:
    """Write the page of a place of runs, whole or not at all."""
    sweeps = [summary.of(sweep, now) for sweep in config.sweeps.values()]
    text = render([sweep for sweep in sweeps if sweep.runs_dir == runs_dir], now)
    temporary = runs_dir / f".{FILE}.tmp"
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.chmod(0o600)
    temporary.replace(runs_dir / FILE)


def render(sweeps: Sequence[Summary], now: float) -> str:
    """Return the page."""
    found = [(sweep, item) for sweep in sweeps for item in sweep.open()]
    rank = {"critical": 0, "warning": 1}
    found.sort(key=lambda pair: rank.get(str(pair[1].get("severity")), 2))
    style = (_FOLDER / "index.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text: str = _template().render(
        style=Markup(style),  # noqa: S704 - a file of this folder
        style_source=Markup("'sha256-{}'").format(digest),
        verdict=_verdict(found),
        made=_local(now),
        open=[_open(sweep, item) for sweep, item in found[:MAX_OPEN]],
        more_open=max(0, len(found) - MAX_OPEN),
        cards=[_card(sweep, now) for sweep in sweeps],
        statuses=STATUSES,
        hosts=hosts.grid(sweeps),
        runs=_runs(sweeps),
    )
    return text


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("index.html.j2")


def _verdict(found: Sequence[tuple[Summary, Mapping[str, Any]]]) -> str:
    if not found:
        return "nothing is open"
    critical = sum(item.get("severity") == "critical" for _, item in found)
    return f"{plural(len(found), 'finding')} open" + (f", {critical} critical" if critical else "")


def _open(sweep: Summary, item: Mapping[str, Any]) -> dict[str, str]:
    facts = [("since", item.get("since")), ("last normal", item.get("last_normal"))]
    words = [f"{label} {clean(value, 60)}" for label, value in facts if value]
    words += ["acknowledged"] if item.get("ack") else []
    words += ["host not covered now"] if item.get("state") == "unknown" else []
    severity = str(item.get("severity"))
    return {
        "severity": severity if severity in ("critical", "warning") else "info",
        "sentence": clean(item.get("sentence", "")),
        "sweep": sweep.name,
        "facts": ", ".join(words),
    }


def _card(sweep: Summary, now: float) -> dict[str, Any]:
    counts = sweep.counts(clock.iso(now - clock.WEEK_S))
    last = sweep.marks[-1] if sweep.marks else None
    facts = [
        ("last", f"{last.when}, {last.status}" if last else "never"),
        ("next", _local(sweep.following) if sweep.following is not None else "by hand"),
        (
            "7 days",
            ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "none",
        ),
        ("open", plural(len(sweep.open()), "finding")),
    ]
    learning = sweep.news.get("learning")
    if isinstance(learning, Mapping):
        facts.append(
            ("learning", f"{clean(learning.get('have'), 5)} of {clean(learning.get('need'), 5)} sweeps")
        )
    return {"name": sweep.name, "strip": [_mark(mark) for mark in sweep.marks[-STRIP:]], "facts": facts}


def _mark(mark: Mark) -> dict[str, str]:
    reason = f": {clean(mark.reason)}" if mark.reason else ""
    return {
        "status": mark.status,
        "words": f"{mark.when} {mark.status}{reason}",
        "link": f"{mark.run}/report.html" if mark.run else "",
    }


def _runs(sweeps: Sequence[Summary]) -> Iterator[dict[str, str]]:
    rows = [(mark.when, sweep.name, mark) for sweep in sweeps for mark in sweep.marks]
    for when, name, mark in sorted(rows, key=lambda row: row[:2], reverse=True)[:MAX_RUNS]:
        reason = f": {clean(mark.reason)}" if mark.reason else ""
        link = f"{mark.run}/report.html" if mark.run else ""
        yield {"id": mark.run, "link": link, "sweep": name, "when": when} | {
            "status": mark.status,
            "words": f"{mark.status}{reason}",
        }


def _local(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%a %Y-%m-%d %H:%M %Z")
