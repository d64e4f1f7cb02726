# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a host cannot be reached, or root not be had there: the words of ssh and sudo that say it, and what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable


class Obstacle(NamedTuple):
    """What stands in the way. reason: the words of the program that said it; remedy: empty where none is known."""

    reason: str
    remedy: str


_KEY = "compare the host's key, then log in once by hand or mend known_hosts (ssh-keygen -R HOST)"
_SUDOERS = "let sudo allow this user all commands there, or log in as another (-u)"
_ASK = "give the password with -K or --become-password-file, or let sudo need none there"
REMEDIES = (
    # what is said -> what to do; the first that is found
    (r"permission denied", "see that user and key are right: -u, --private-key; -k asks for a password"),
    (r"connection refused", "see that sshd runs there, and that the port is right"),
    (r"timed out|no route to host|network is unreachable", "see that it is up and no firewall is between"),
    (r"could not resolve hostname|name or service not known", "put its name right, or set ansible_host"),
    (r"host key verification failed|identification has changed|known_hosts", _KEY),
    (r"not in the sudoers|may not run sudo|is not allowed to (?:execute|run)", _SUDOERS),
    (r"missing \S+ password|password is required|no password was provided", _ASK),
    (r"incorrect \S+ password|incorrect password|sorry, try again", "give the right one with -K"),
    (r"must have a tty|no tty present", "switch requiretty off in its sudoers"),
    (
        r"(?:sudo|su|doas)\S*: (?:command )?not found",
        "install sudo there, choose --become-method, or log in as root: -u root",
    ),
    (r"winrm|pywinrm|psrp|powershell", "it is no Linux host: leave it out of the limit"),
    (
        r"temporary directory|no space left|read-only file system",
        "see that its home directory can be written to",
    ),
    (r"sshpass", "install sshpass on the controller, or log in with a key"),
)
_NOISE = re.compile(
    r"^(?:warning:|\*\*|@@|debug\d:|openssh_|connection to \S+ closed|shared connection to)|^\W*$",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"^(?:task failed: |action failed: |unreachable: |failed to connect to the host via \w+: "
    r"|data could not be sent to remote host \S+ make sure this host can be reached over ssh: "
    r"|\[sudo[^\]]*\] ?password[^:]*: ?)+",
    re.IGNORECASE,
)


def obstacle(said: str) -> Obstacle:
    """Return the last words of ssh, sudo or Ansible that say something, without what is wrapped around them."""
    text = _WRAPPED.sub("", said.strip())
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not _NOISE.search(line)]
    known = [line for line in telling if _remedy(line)]  # a last line may only say that the program gives up
    line = _WRAPPED.sub("", (known or telling or lines or [""])[-1])
    return Obstacle(printable(re.sub(r"^\S+@\S+: (?=Permission denied)", "", line)), _remedy(line))


def _remedy(line: str) -> str:
    return next((remedy for rule, remedy in REMEDIES if re.search(rule, line, re.IGNORECASE)), "")
