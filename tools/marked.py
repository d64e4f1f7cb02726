# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what is made into a page of the docs, between the marks of its name (--check: only compare)."""

from __future__ import annotations

import sys
from pathlib import Path


def write(page: Path, name: str, made: str) -> int:
    """Put `made` between `<!-- name: begin -->` and `end`; return 1 where --check finds that it is not there, else 0."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    old = page.read_text(encoding="utf-8")
    before, _, rest = old.partition(begin)
    new = f"{before}{begin}{made}\n{end}{rest.partition(end)[2]}"
    if "--check" in sys.argv[1:]:
        return int(old != new)
    page.write_text(new, encoding="utf-8")
    return 0
