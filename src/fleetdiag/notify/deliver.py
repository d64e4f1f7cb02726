# SPDX-License-Identifier: GPL-3.0-or-later
"""One delivery in a process of its own, killed with all that it started when its time is over.

As a program (`python -m fleetdiag.notify.deliver KIND`) it reads settings and message from its standard input, so
that no secret is in the list of processes.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

LIMIT_S = 60.0
MAX_SAID = 4096
MAX_MEMORY = 1024**3
_FAILED = 1


def run(kind: str, settings: Any, message: dict[str, Any], limit_s: float = LIMIT_S) -> tuple[bool, str]:
    """Return whether the receiver took the message, and what was said; made printable and cut. Never raises."""
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable

    text = json.dumps({"settings": settings, "message": message})
    source = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": f"{source}:{os.environ.get('PYTHONPATH', '')}"}
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "fleetdiag.notify.deliver", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    except OSError as error:
        return False, f"cannot be started: {error.strerror}"
    try:
        said, _ = child.communicate(text.encode(), timeout=limit_s)
    except subprocess.TimeoutExpired:
        return False, f"no answer within {limit_s:.0f} s; it was ended"
    finally:
        # Also what it left running: it is a group of its own.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
    words = " ".join(said[:MAX_SAID].decode("utf-8", "replace").split())
    return child.returncode == 0, printable(words)[:MAX_SAID]


def main() -> int:
    """Deliver what standard input holds; print what the receiver said."""
    from fleetdiag.paths import use_own_collection

    use_own_collection()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))  # whatever a receiver prints
    from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
    from fleetdiag.notify.message import Message

    given = json.load(sys.stdin)
    receiver = importlib.import_module(f"fleetdiag.notify.{sys.argv[1]}")
    try:
        print(receiver.send(given["settings"], Message(**given["message"])))
    except FleetdiagError as error:
        print(error)
        return _FAILED
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
