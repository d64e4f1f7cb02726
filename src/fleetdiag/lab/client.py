# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of the web machines: asks for small pages, downloads one file slowly, keeps terminals open.

Run as `python -m fleetdiag.lab.client '{"pages": [URL, ...], "slow": [URL, ...], "terminals": [COMMAND, ...]}'`, where
a COMMAND is a list of words that prints without end; standard library only.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

_PAUSE_S = 0.5
_SLOW_BYTES_PER_S = 500_000
_CHUNK = 32_768


def fetch_page(url: str) -> None:
    """Make one ordinary request."""
    with _open(url, receive_buffer=None) as connection:
        while connection.recv(65536):
            pass


def fetch_slowly(url: str) -> float:
    """Download `url` at a limited rate; gives the seconds it took.

    The receive buffer is small, so that the server, not this machine's kernel, holds what was not read yet.
    """
    began = time.monotonic()
    received = 0
    with _open(url, receive_buffer=16_384) as connection:
        while chunk := connection.recv(_CHUNK):
            received += len(chunk)
            ahead = received / _SLOW_BYTES_PER_S - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
    return time.monotonic() - began


def _open(url: str, receive_buffer: int | None) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60)
    connection.connect((parts.hostname, parts.port))
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.hostname}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def _forever_slow(url: str) -> None:
    while True:
        try:
            seconds = fetch_slowly(url)
            print(f"{time.strftime('%H:%M:%S')} {url} in {seconds:.1f} s", flush=True)
        except OSError as error:
            print(f"{url}: {error}", flush=True)
            time.sleep(1)


def _watch_terminal(command: list[str]) -> None:
    """Read what a command prints, for ever; it ends when nobody reads any more."""
    while True:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as terminal:
            assert terminal.stdout is not None
            while terminal.stdout.readline():
                pass
        time.sleep(1)


def main() -> None:
    """Run until it is killed."""
    targets = json.loads(sys.argv[1])
    for url in targets["slow"]:
        threading.Thread(target=_forever_slow, args=(url,), daemon=True).start()
    for command in targets["terminals"]:
        threading.Thread(target=_watch_terminal, args=(command,), daemon=True).start()
    while True:
        for url in targets["pages"]:
            try:
                fetch_page(url)
            except OSError as error:
                print(f"{url}: {error}", flush=True)
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
