# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the profile `site`: asks every balancer for pages and for one large file, and counts what it gets.

Run as `python -m fleetdiag.lab.site_client '{"sites": [URL, ...], "page": PATH, "slow": PATH, "tally": FILE}'`; standard
library only. The tally is rewritten after each answer: {"answered", "slow", "failed", "failures": [sentence, ...]}.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

_PAGE_PAUSE_S = 0.25
_SLOW_PAUSE_S = 1.0
_TIMEOUT_S = 60
_FAILURES_KEPT = 20


class Tally:
    """What all threads have seen, always whole in its file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._counts = {"answered": 0, "slow": 0, "failed": 0}
        self._failures: list[str] = []

    def add(self, what: str, failure: str = "") -> None:
        """Count one request: "answered", "slow" (answered, and of the slow file) or "failed"."""
        with self._lock:
            self._counts[what] += 1
            if failure:
                self._failures = [*self._failures, failure][-_FAILURES_KEPT:]
            unfinished = self._file.with_suffix(".new")
            unfinished.write_text(json.dumps({**self._counts, "failures": self._failures}))
            unfinished.replace(self._file)


def ask(url: str, tally: Tally, counts_as: str) -> None:
    """Make one request and count it; all but a whole answer with status 200 has failed."""
    try:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", parts.path)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"status {answer.status}")
    except (OSError, HTTPException) as error:
        tally.add("failed", f"{time.strftime('%H:%M:%S')} {url}: {error}")
    else:
        tally.add(counts_as)


def _for_ever(url: str, pause_s: float, tally: Tally, counts_as: str) -> None:
    while True:
        ask(url, tally, counts_as)
        time.sleep(pause_s)


def main() -> None:
    """Run until it is killed."""
    job = json.loads(sys.argv[1])
    tally = Tally(Path(job["tally"]))
    threads = [
        threading.Thread(target=_for_ever, args=(site + job[path], pause_s, tally, counts_as))
        for site in job["sites"]
        for path, pause_s, counts_as in (("page", _PAGE_PAUSE_S, "answered"), ("slow", _SLOW_PAUSE_S, "slow"))
    ]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
