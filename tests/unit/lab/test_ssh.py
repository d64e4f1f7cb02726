# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for an ssh server, with real sockets."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from fleetdiag.lab import ssh
from fleetdiag.lab.keys import Keys


def serve(*answers: bytes) -> int:
    """A port that gives each connection its answer and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with listener:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(answer)

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize("answers", [(b"SSH-2.0-x\r\n",), (b"", b"", b"SSH-2.0-x\r\n")])
def test_only_a_greeting_counts(answers: tuple[bytes, ...]) -> None:
    assert ssh.wait_for_banner(serve(*answers), 20, lambda: True)


def test_the_end_of_the_machine_ends_the_wait() -> None:
    assert not ssh.wait_for_banner(ssh.free_port(), 60, lambda: False)


def test_a_silent_port_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not ssh.wait_for_banner(silent.getsockname()[1], 0.2, lambda: True)


def test_a_login_is_shared_where_the_path_of_its_socket_can_be_made(tmp_path: Path) -> None:
    def options(folder: Path) -> list[str]:
        command = ssh.command(Keys(folder), 22, "root", ["true"], shared=True)
        return [word for word in command if word.startswith("Control")]

    short = Path("/run/keys")
    assert f"ControlPath={short}/%C" in options(short)
    assert options(tmp_path / ("x" * 60)) == []
