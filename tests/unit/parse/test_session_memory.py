# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session prints may be large; what is held of it is not. Measured in a process of its own, at its peak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COLLECTIONS = Path(__file__).resolve().parents[3] / ".collections"
BOUND_MB = 150

# Not ru_maxrss: a process that was forked begins with that of the one which runs the tests.
PROGRAM = """
import io, re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect import settle
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session, printed_lines

NONCE = "0123456789abcdef"
HEAD = f"{NONCE}\\t1\\t@armed\\t0\\t1790000000000\\n{NONCE}\\t2\\t@start\\t0\\t1790000004000\\n".encode()
HEADER = b"%200s\\t%10s\\t%10s\\n" % (b"Process", b"KB Read", b"KB Written")
PARTS = {
    "table": HEADER + b"".join(b"%200s\\t%10d\\t%10d\\n" % (b"httpd %d" % n, n, n) for n in range(500)),
    "text": b"".join(b"this came to pass %d, and it is told " % n + b"x" * 900 + b"\\n" for n in range(100)),
    "one line": b"x" * 100_000,
}


class Stream(io.RawIOBase):
    \"\"\"The head, then one part again and again.\"\"\"

    def __init__(self, part):
        self.part, self.left, self.rest = part, int(sys.argv[3]) << 20, HEAD

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.rest:
            self.rest = self.part if self.left > 0 else b""
        piece, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(piece)] = piece
        self.left -= len(piece)
        return len(piece)


def stream():
    return io.BufferedReader(Stream(PARTS[sys.argv[2]]), 1 << 16)


probe = Probe("ex_x", "It.", "What?", "auto", "low", unmodified=True)
probe = settle.settled(probe, "delete", [printed_lines(NONCE, stream(), settle.MAX_SAMPLE)])
session = parse_session(probe, NONCE, stream(), 300 << 20)
rows = sum(1 for _ in session)
peak_kb = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1]
print(probe.output, rows, session.result.bytes_read, int(peak_kb) // 1024)
"""


@pytest.mark.parametrize(
    ("printed", "size_mb", "output"),
    [("table", 20, "table"), ("text", 200, "text"), ("one line", 200, "text")],
)
def test_memory_does_not_grow_with_the_output(printed: str, size_mb: int, output: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(COLLECTIONS), printed, str(size_mb)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    form, rows, read, peak_mb = done.stdout.rsplit(maxsplit=3)
    assert form == output
    assert int(read) > size_mb << 20
    assert (int(rows) > 50_000) == (output == "table")
    assert int(peak_mb) < BOUND_MB
