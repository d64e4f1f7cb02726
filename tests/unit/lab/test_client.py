# SPDX-License-Identifier: GPL-3.0-or-later
"""The workload's client against a real server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fleetdiag.lab import client

BODY = b"x" * 200_000


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()
    server.server_close()


def test_slow_download_takes_its_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SLOW_BYTES_PER_S", 1_000_000)
    assert client.fetch_slowly(url) >= len(BODY) / 1_000_000


def test_page_is_read_to_its_end(url: str) -> None:
    client.fetch_page(url)
