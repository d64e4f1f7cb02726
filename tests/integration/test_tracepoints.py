# SPDX-License-Identifier: GPL-3.0-or-later
"""SystemTap looks for tracepoints only where those of a script can be: real headers, a cache that knew nothing."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator

import pytest
from sweeps import ansible, builder_kernel

from fleetdiag.lab.model import Lab

pytestmark = [pytest.mark.lab, pytest.mark.long("a builder that knows nothing of a kernel: two minutes")]

FIRST = 'probe kernel.trace("sched:sched_process_exec") { exit() }'
ANOTHER = 'probe kernel.trace("filemap:mm_filemap_add_to_page_cache") { exit() }'  # no tapset asks for it


@pytest.fixture(scope="module")
def cache(lab: Lab) -> Iterator[str]:
    folder = f"/var/cache/fd-test-{uuid.uuid4().hex[:8]}"
    yield folder
    lab.ssh("builder", f"rm -rf {folder}")


@pytest.fixture(scope="module")
def kernel(lab: Lab) -> str:
    return builder_kernel(lab)


def compiled(lab: Lab, cache: str, kernel: str, script: str) -> str:
    """The status that stap_compile says, and the error."""
    key = hashlib.sha256(script.encode()).hexdigest()
    wanted = {
        "kernel": kernel,
        "tapset": {},
        "cache_dir": cache,
        "sources": [{"name": "x", "file": "x.stp", "script": script, "key": key}],
    }
    words = ("-i", str(lab.inventory), "-m", "fleetdiag.systemtap.stap_compile", "-a", json.dumps(wanted))
    done = ansible("adhoc", "builder", *words)
    (entry,) = json.loads(done.stdout.partition("=>")[2])["modules"]
    return f"{entry['status']} {entry['error']}".strip()


def known(lab: Lab, cache: str) -> int:
    """Of how many headers SystemTap's cache knows something: those left out must not be among them."""
    return int(lab.ssh("builder", f"find {cache} -name 'tracequery_*.o' | wc -l").stdout)


def test_a_first_script_has_few_headers_compiled(lab: Lab, cache: str, kernel: str) -> None:
    assert compiled(lab, cache, kernel, FIRST) == "built"
    assert 1 <= known(lab, cache) <= 40


def test_headers_that_were_left_out_are_found_by_the_next_script(lab: Lab, cache: str, kernel: str) -> None:
    before = known(lab, cache)
    assert compiled(lab, cache, kernel, ANOTHER) == "built"
    assert known(lab, cache) > before


def test_what_a_killed_compilation_left_does_not_hide_tracepoints(lab: Lab, cache: str, kernel: str) -> None:
    lab.ssh("builder", f"find {cache} -name 'tracequery_*.o' -exec truncate -s 0 {{}} +")
    assert compiled(lab, cache, kernel, FIRST.replace("exit", "println(1) exit")) == "built"
