# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site of the docs; tools/docs.sh brings what it builds from."""

from __future__ import annotations

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "fleetdiag"
author = "The fleetdiag maintainers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
myst_heading_anchors = 3
nitpicky = True


def with_picture(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the picture of a probe's part of the report on its page."""
    picture = Path("img") / f"{Path(name).name}.png"
    if name.startswith("docs/probes/") and (Path(app.srcdir) / "docs/probes" / picture).is_file():
        source[0] += (
            f"\n## In the report\n\nThree hosts that say the same:\n\n![its part of the report]({picture})\n"
        )


def without_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """Take the list of its own sections out of a page of the reference: the theme has one beside the page."""
    if name.startswith("reference/"):
        source[0] = re.sub(r"^\.\. contents::.*\n(?:[ ]+\S.*\n)*", "", source[0], flags=re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Let Sphinx call what is above, and show languages that Pygments does not know as they are."""
    for language in ("mermaid", "stap"):
        app.add_lexer(language, TextLexer)
    app.connect("source-read", with_picture)
    app.connect("source-read", without_contents)
