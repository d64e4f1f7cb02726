# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are meant: inventory and pattern, as Ansible itself understands them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from fleetdiag.run import playbook, progress
from fleetdiag.run.login import Login, unanswered

TARGETS = "all:!systemtap_builders"  # the playbooks' own pattern
# What Ansible says of an inventory that it cannot read.
_UNREADABLE = ("Completely failed to parse inventory source", "No inventory was parsed")


def sources(given: Sequence[str]) -> list[str]:
    """Return the inventories as Ansible is given them; where none was named, those of the operator's configuration.

    FleetdiagError for one that is not there.
    """
    if given:
        return [_source(one) for one in given]
    from ansible import constants

    configured, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    if origin == "default" and not any(Path(one).exists() for one in configured):
        raise FleetdiagError(
            "no inventory is named: give -i/--inventory INV, or let ansible.cfg name one ([defaults] inventory)"
        )
    return [_source(one) for one in configured]


def _source(source: str) -> str:
    """Return a list with a comma as it is, else an absolute path that exists."""
    if "," in source:
        return source
    path = playbook.absolute(source)
    if not path.exists():
        raise FleetdiagError(
            f"inventory {source}: there is no such file; name a file, a directory, or hosts as 'web1,web2,'"
        )
    return str(path)


def check_limit(limit: str | None) -> str:
    """Return the pattern of `--limit`, empty if the option is not given.

    FleetdiagError for one that Ansible would take for all hosts though it names none, and for braces.
    """
    if limit is None:
        return ""
    words = [word for word in re.split(r"[,:\s]+", limit) if word]
    if not words:
        raise FleetdiagError("--limit: is empty; say '-l all' if every host of the inventory is meant")
    if "{" in limit or "}" in limit:
        raise FleetdiagError(
            f"--limit {limit}: Ansible's patterns have no braces; say web[1:3], or web1,web2,web3"
        )
    for word in words:
        if word.startswith("@") and not _names_in(word[1:]):
            raise FleetdiagError(
                f"--limit {limit}: no host is named in {word[1:]}; say '-l all' if all are meant"
            )
    return limit


def _names_in(file: str) -> bool:
    path = playbook.absolute(file)
    try:
        return bool(path.read_text(encoding="utf-8", errors="replace").strip())
    except OSError as error:
        raise FleetdiagError(f"--limit @{file}: cannot be read: {error.strerror}") from error


def hosts_of(inventory: Sequence[str], limit: str, login: Login) -> list[str]:
    """Return the hosts of the pattern, as Ansible itself understands inventory and pattern."""
    words = [word for source in inventory for word in ("-i", source)]
    command = ["ansible", TARGETS, "--list-hosts", *words]
    if limit:
        command.append(f"--limit={limit}")
    # A file that Ansible cannot read would quietly leave its hosts out; a directory may hold other things.
    some = any(Path(source).is_dir() for source in inventory)
    strict = "UNPARSED_FAILED" if some else "ANY_UNPARSED_IS_FAILED"
    done = ask(command, {f"ANSIBLE_INVENTORY_{strict}": "1"}, login)
    named = " ".join(inventory)
    if any(words in done.stderr for words in _UNREADABLE):
        raise FleetdiagError(f"inventory {named}: cannot be read: {_inventory_complaint(done.stderr)}")
    lines = done.stdout.splitlines()
    hosts = [line.strip() for line in lines[1:] if line.strip()] if done.returncode == 0 else []
    if not hosts:
        if done.returncode and "no hosts to target" not in done.stderr:
            raise FleetdiagError(
                f"inventory {named}: Ansible says: {_complaint(done.stderr or done.stdout, login)}"
            )
        pattern = f"pattern '{limit}' matches no host" if limit else "there is no host in it"
        shows = shlex.join(["ansible-inventory", *words, "--graph"])
        raise FleetdiagError(f"inventory {named}: {pattern}; see: {shows}")
    _note_unmatched(done.stderr)
    return hosts


def export(inventory: Sequence[str], login: Login) -> str:
    """Return all that the inventory says, as Ansible itself exports it."""
    words = [word for source in inventory for word in ("-i", source)]
    done = ask(["ansible-inventory", "--list", "--yaml", "--export", *words], {}, login)
    if done.returncode:
        why = _complaint(done.stderr or done.stdout, login)
        raise FleetdiagError(f"inventory {' '.join(inventory)}: cannot be exported for the shards: {why}")
    return done.stdout


def ask(
    command: Sequence[str], variables: Mapping[str, str], login: Login
) -> subprocess.CompletedProcess[str]:
    """Run a command of Ansible's that touches no host; it has no terminal, so that nothing can be asked there."""
    with login.open_vaults() as (vaults, readers):
        try:
            return subprocess.run(
                command,
                env={**os.environ, **playbook.environment(), **vaults, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                start_new_session=True,
                pass_fds=readers,
            )
        except OSError as error:
            sentence = f"Ansible cannot be started ({error.strerror}); install ansible-core beside fleetdiag"
            raise FleetdiagError(sentence) from error


def _complaint(said: str, login: Login) -> str:
    """Return what Ansible found wrong, in one line; the question if it asked one that nobody could answer."""
    question = unanswered(said, login)
    return f"'{question}', and nobody can answer" if question else playbook.reason(said)


def _note_unmatched(stderr: str) -> None:
    """Name the parts of the pattern that match nothing: no error to Ansible, but often a misspelt host."""
    for line in stderr.splitlines():
        part = line.partition("Could not match supplied host pattern, ignoring: ")[2]
        if part and part not in TARGETS:
            print(f"fleetdiag: '{printable(part)}' of the pattern matches no host", file=sys.stderr)


def _inventory_complaint(stderr: str) -> str:
    """Return the first thing that Ansible found wrong, in one line."""
    for line in stderr.splitlines():
        if "plugin: " in line:
            return progress.first_line(line.partition("plugin: ")[2])
    return progress.first_line(stderr)
