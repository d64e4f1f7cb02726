# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site of the docs; tools/docs.sh brings what it builds from."""

from __future__ import annotations

from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "fleetdiag"
author = "The fleetdiag maintainers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = project
myst_heading_anchors = 3
nitpicky = True


def with_picture(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the picture of a probe's part of the report on its page."""
    picture = Path("img") / f"{Path(name).name}.png"
    if name.startswith("docs/probes/") and (Path(app.srcdir) / "docs/probes" / picture).is_file():
        source[0] += (
            f"\n## In the report\n\nThree hosts that say the same:\n\n![its part of the report]({picture})\n"
        )


def setup(app: Sphinx) -> None:
    """Let Sphinx call what is above, and show languages that Pygments does not know as they are."""
    for language in ("mermaid", "stap"):
        app.add_lexer(language, TextLexer)
    app.connect("source-read", with_picture)
