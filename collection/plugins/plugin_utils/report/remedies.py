# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about what staprun and the kernel say of a session that did not run."""

from __future__ import annotations

import re
from collections.abc import Iterable

REMEDIES = (
    (
        r"Invalid module format|version magic|disagrees about version",
        "the module is for another build of its kernel: see whether it was updated without a reboot, then sweep again",
    ),
    (
        r"Unknown symbol",
        "a kernel module that it needs is not loaded there (dmesg names the symbol): load it or leave the probe out",
    ),
    (
        r"Cannot allocate memory|[Oo]ut of memory|ENOMEM",
        "free memory on it, or choose a probe, or limits, with smaller arrays",
    ),
    (
        r"Array overflow, check MAXMAPENTRIES",
        "let the script have more entries: #!/usr/bin/stap -DMAXMAPENTRIES=N on its first line",
    ),
    (
        r"version mismatch|compiled with a different version|Incompatible version",
        "install a SystemTap runtime on it that matches the builder's version",
    ),
    (
        r"MAXACTION exceeded",
        "let the script take longer: #!/usr/bin/stap -DMAXACTION=N on its first line, or print less at once",
    ),
)


def remedies(errors: Iterable[str]) -> list[str]:
    """Return what to do about these errors, each advice once; nothing about what is not known."""
    found = [advice for error in errors for said, advice in REMEDIES if re.search(said, error)]
    return list(dict.fromkeys(found))
