# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fleetdiag.lab import site_client


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 503)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_all_but_a_whole_answer_has_failed(url: str, tmp_path: Path) -> None:
    file = tmp_path / "tally.json"
    tally = site_client.Tally(file)
    site_client.ask(f"{url}/", tally, "answered")
    site_client.ask(f"{url}/", tally, "slow")
    site_client.ask(f"{url}/missing", tally, "answered")
    site_client.ask("http://127.0.0.1:9/", tally, "answered")
    said = json.loads(file.read_text())
    assert (said["answered"], said["slow"], said["failed"]) == (1, 1, 2)
    assert "status 503" in said["failures"][0]
    assert "refused" in said["failures"][1]
