# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file that opens offline. Its policy allows its own styles and scripts by their hashes,
nothing else.

What reads without script is made by Jinja with autoescape (`page.static`), the rest by the script from one block
of data (`page.data`). Every text passes `printable()` in both. Only the files of this folder are put in as they
are.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import quantities
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.document import head
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.format import one_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import cards as finding_cards
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.render.page import (
    conditions,
    data,
    packed,
    static,
    values,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report.model import Report

_FOLDER = Path(__file__).resolve().parent
_STYLES = (("vendor/uplot/uPlot.min.css",), ("page/page.css", "page/sheets.css"))
_SCRIPTS = (
    "page/dom.js",
    "page/units.js",
    "page/focus.js",
    "page/grid.js",
    "page/rows.js",
    "page/charts.js",
    "page/heat.js",
    "page/flame.js",
    "page/page.js",
)
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def render(report: Report) -> str:
    """Return the whole page."""
    styles = [_together(names) for names in _STYLES]
    scripts = [_library("uplot", "uPlot.iife.min.js"), _own_script()]
    cards = finding_cards.cards(report)
    page = _template().render(
        title=f"fleetdiag: {printable(report.verdict)}",
        verdict=printable(report.verdict),
        tone=static.tone(report),
        chips=static.chips(report),
        summary=static.summary(report),
        cards=cards,
        open_findings=finding_cards.OPEN,
        hidden_findings=len(report.findings) - len(cards),
        no_findings=static.no_findings(report),
        worth_a_look=[printable(look.sentence) for look in report.worth_a_look],
        coverage=static.coverage(report),
        traffic=[static.traffic(told) for told in report.traffic],
        sections=static.sections(report),
        conditions=[*head.conditions(report), *conditions.clocks(report)],
        systems=conditions.systems(report),
        costs=conditions.costs(report),
        builds=static.builds(report),
        notes=[printable(note) for note in report.notes],
        runs=[printable(run.id) for run in report.runs],
        generated=printable(report.generated),
        styles=[Markup(style) for style in styles],  # noqa: S704 - our own files
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
        style_sources=_sources(styles),
        script_sources=_sources(scripts),
        data=Markup(_block(data.document(report))),  # noqa: S704 - no character of markup is left in it
    )
    return page + "\n"


FORMAT = one_file(
    "html", "report.html", "the page: findings first, opens offline in a browser", render, by_default=True
)


def _block(document: dict[str, Any]) -> str:
    """Return JSON that can stand in an element: nothing in it ends the element or begins another."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.translate(_ESCAPES)


def _library(folder: str, name: str) -> str:
    """Return a library with its licence, which wants to be in every copy."""
    return f"/*\n{_file(f'vendor/{folder}/LICENSE')}*/\n{_file(f'vendor/{folder}/{name}')}"


def _own_script() -> str:
    """Return the files of the page, which share one scope, apart from the library's."""
    return '"use strict";\n(() => {\n' + quantities.for_page() + _together(_SCRIPTS) + "})();\n"


def _sources(texts: Sequence[str]) -> Markup:
    """Return the source expressions of the policy for inline elements with these texts."""
    return Markup(" ").join(Markup(f"'{_hash(text)}'") for text in texts)  # noqa: S704 - a hash


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "page"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(cut=packed.text, shown=values.cell, sentence=values.sentence)
    return environment.get_template("report.html.j2")


def _together(names: Sequence[str]) -> str:
    return "".join(_file(name) for name in names)


@cache
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
