# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers on loopback: an HTTP server and an SMTP server that keep what they were sent."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Http(ThreadingHTTPServer):
    """Answers `status`, or never if `hangs`. requests: (path, headers, body) of each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HttpHandler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.answer = b"ok"
        self.drips = False
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _HttpHandler(BaseHTTPRequestHandler):
    server: Http

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", self.server.url)
        if self.server.drips:  # each read of the client is answered in time, and there is no end
            self.end_headers()
            while not self.server.released.wait(0.05):
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
            return
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST = _take  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class Smtp(socketserver.ThreadingTCPServer):
    """Takes mail; refuses recipients in `refused`. mails: (recipients, mail)."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SmtpHandler)
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refused: set[str] = set()


class _SmtpHandler(socketserver.StreamRequestHandler):
    server: Smtp

    def handle(self) -> None:
        recipients: list[str] = []
        self._say("220 loopback")
        while line := self.rfile.readline():
            word = line.decode().strip()
            verb = word[:4].upper()
            if verb == "RCPT":
                name = word.partition("<")[2].partition(">")[0]
                if name in self.server.refused:
                    self._say("550 no such person")
                    continue
                recipients.append(name)
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                data = b"".join(iter(self.rfile.readline, b".\r\n"))
                mail = message_from_bytes(data, policy=policy.default)
                assert isinstance(mail, EmailMessage)
                self.server.mails.append((list(recipients), mail))
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 loopback")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        getattr(server, "released", threading.Event()).set()
        server.shutdown()
        thread.join()
        server.server_close()
