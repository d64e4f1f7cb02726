# SPDX-License-Identifier: GPL-3.0-or-later
"""Output forms: how a script prints, registered once. `parse.session` has a reader for each.

A form is one entry of FORMS; the manifest's schema, its rules, reports and renderers ask the entry, never for a name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One output form.

    about: what the reference of manifests says of it; empty for a form that only fleetdiag's own records have.
    tables: how many a manifest declares for it: 0, 1, or None for any number. header: the table has a header line, and
    lines to ignore. records: printed with fd_row(), so that the rules of scripts for records hold.
    calls: yields call trees. lines: yields lines of text, and nothing else.
    """

    about: str
    tables: int | None = 0
    header: bool = False
    records: bool = False
    calls: bool = False
    lines: bool = False


FORMS = {
    "rows": Form("are made with fd_row()", tables=None, records=True),
    "table": Form("is a header over aligned columns", tables=1, header=True),
    "calltrace": Form("are lines of thread_indent()", calls=True),
    "text": Form("is anything else", lines=True),
    # Found out from what a script prints, see parse.detect.
    "auto": Form(""),
}


def declared() -> dict[str, Form]:
    """Return the forms that a manifest may name."""
    return {name: form for name, form in FORMS.items() if form.about}
