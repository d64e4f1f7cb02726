# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh, sudo and Ansible say of a host that cannot be used becomes one reason and one remedy."""

from __future__ import annotations

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import contact

SENT = 'Task failed: Data could not be sent to remote host "127.0.0.1". Make sure this host can be reached over ssh: '
CHANGED = (
    "Failed to connect to the host via ssh: @@@@@@@@@@@@@@@@@@@@@@@@\r\n@"
    " WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\n@@@@@@@@@@@@\r\nHost key verification failed.\r\n"
)


@pytest.mark.parametrize(
    ("said", "reason", "remedy"),
    [
        (
            SENT + "Warning: Permanently added '[127.0.0.1]:9' (ED25519) to the list of known hosts.\r\n"
            "*** Authorized use only ***\r\nroot@127.0.0.1: Permission denied (publickey).\r\n",
            "Permission denied (publickey).",
            "--private-key",
        ),
        (
            "Failed to connect to the host via ssh: ssh: connect to host web1 port 22: Connection refused\r\n",
            "ssh: connect to host web1 port 22: Connection refused",
            "sshd runs there",
        ),
        ("ssh: connect to host web1 port 22: Connection timed out", "timed out", "firewall"),
        (
            "Failed to connect to the host via ssh: ssh: Could not resolve hostname web1: Name or service not known",
            "ssh: Could not resolve hostname web1: Name or service not known",
            "ansible_host",
        ),
        (
            CHANGED,
            "Host key verification failed.",
            "ssh-keygen -R",
        ),
        (
            "[sudo via ansible, key=abc] password:sudo: a password is required",
            "sudo: a password is required",
            "-K",
        ),
        ("Task failed: Missing sudo password", "Missing sudo password", "--become-password-file"),
        ("Incorrect sudo password", "Incorrect sudo password", "the right one"),
        ("bob is not in the sudoers file.", "bob is not in the sudoers file.", "let sudo allow"),
        ("/bin/sh: 1: sudo: not found", "/bin/sh: 1: sudo: not found", "install sudo"),
        ("sudo: sorry, you must have a tty to run sudo", "sudo: sorry, you must have a tty", "requiretty"),
        ("winrm or requests is not installed: No module named 'winrm'", "winrm or requests", "no Linux host"),
        ("Permission denied (publickey).\nlost connection", "Permission denied", "--private-key"),
        ("something else\nwas said", "was said", ""),
        ("", "", ""),
    ],
)
def test_an_obstacle_has_a_reason_and_a_remedy(said: str, reason: str, remedy: str) -> None:
    found = contact.obstacle(said)
    assert reason in found.reason
    assert remedy in found.remedy
    assert bool(found.remedy) == bool(remedy)
    assert not any(word in found.reason for word in ("\\x0d", "Task failed", "password:sudo", "Make sure"))


def test_what_a_host_says_cannot_break_the_line() -> None:
    assert "\x1b" not in contact.obstacle("Permission denied \x1b[2J").reason
