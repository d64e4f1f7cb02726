# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible logs in: its own options, handed on as they are, and its questions, asked once and before anything runs.

What Ansible would ask while it runs nobody could see or answer: it runs behind ansible-runner.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import io
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.run import progress

OPTIONS = (
    *("remote_user", "private_key_file", "connection", "timeout", "ask_pass", "connection_password_file"),
    *("ssh_common_args", "ssh_extra_args", "sftp_extra_args", "scp_extra_args"),
    *("become_user", "become_method", "become_ask_pass", "become_password_file"),
    *("vault_ids", "ask_vault_pass", "vault_password_files", "module_path", "diff"),
)
"""What is taken of Ansible's options, by the names under which its parser keeps them."""

_END_OF_FILE = "\x04"
_PROMPT = r"^[^\n:]*(?:[Pp]ass(?:word|phrase|code)|PASSWORD|PIN|yes/no)[^\n:?]*[:?] ?"
_ASKING = {  # what asks -> (the setting of ansible.cfg, the option and what to use instead)
    "ask_pass": ("DEFAULT_ASK_PASS", "--ask-pass", "--connection-password-file FILE"),
    "become_ask_pass": ("DEFAULT_BECOME_ASK_PASS", "--ask-become-pass", "--become-password-file FILE"),
    "ask_vault_pass": ("DEFAULT_ASK_VAULT_PASS", "--ask-vault-password", "--vault-password-file FILE"),
}
_SWITCHED_OFF = {"ANSIBLE_ASK_PASS": "0", "ANSIBLE_BECOME_ASK_PASS": "0", "ANSIBLE_ASK_VAULT_PASS": "0"}


@dataclass(frozen=True)
class Login:
    """What Ansible is given to log in with.

    words: options of ansible-playbook; answers: {a regular expression for a question of Ansible's: the answer};
    vaults: the vault identities, as Ansible has them, {their position: password} in `secrets` where one is asked for.
    """

    words: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    vaults: Sequence[str] = ()
    secrets: Mapping[int, str] = field(default_factory=dict, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """Return variables that keep Ansible from asking for what `words` does not name."""
        return dict(_SWITCHED_OFF)

    @property
    def replies(self) -> dict[str, str]:
        """Return `answers`, and the end of file for every other question: whoever asks it then gives up."""
        return {**self.answers, rf"{_PROMPT}\Z": _END_OF_FILE}

    @contextlib.contextmanager
    def open_vaults(self) -> Iterator[tuple[dict[str, str], list[int]]]:
        """Yield (environment, file descriptors to pass on) for a command of Ansible's that has no terminal."""
        names, readers = list(self.vaults), []
        try:
            for position, secret in self.secrets.items():
                reader, writer = os.pipe()
                readers.append(reader)
                threading.Thread(target=_write, args=(writer, secret), daemon=True).start()
                names[position] = f"{names[position].rpartition('@')[0]}@/dev/fd/{reader}"
            listed = {"ANSIBLE_VAULT_IDENTITY_LIST": ",".join(names)} if names else {}
            yield {**self.environment, **listed}, readers
        finally:
            for reader in readers:
                os.close(reader)


def unanswered(output: str, login: Login) -> str:
    """Return the first question in Ansible's output that has no answer in `login`, else an empty text."""
    for found in re.finditer(_PROMPT, output, re.MULTILINE):
        asked = found[0].strip()
        if not any(re.search(pattern, found[0], re.MULTILINE) for pattern in login.answers):
            return progress.first_line(asked)
    return ""


def options() -> Iterator[argparse.Action]:
    """Yield Ansible's own options that are handed on. FleetdiagError where Ansible cannot start."""
    for action in _parser()._actions:
        if action.dest in OPTIONS:
            yield action


def log_in(words: Sequence[str]) -> Login:
    """Return the login for these options of Ansible's; what has to be asked for is asked on the terminal.

    FleetdiagError where Ansible refuses them, and where nobody can be asked.
    """
    parser = _parser()
    given = parser.parse_args([*words, "playbook.yml"])
    if given.connection_password_file and "--ask-pass" not in words:
        given.ask_pass = False
    if given.become_password_file and "--ask-become-pass" not in words:
        given.become_ask_pass = False
    if given.vault_password_files and "--ask-vault-password" not in words:
        given.ask_vault_pass = False
    vaults = _vaults(given)
    secrets: dict[int, str] = {}
    answers: dict[str, str] = {}
    ask = {option: why for option in _ASKING if (why := _why(option, given, words))}
    if "ask_pass" in ask:
        _answer(answers, "SSH password: ", "ask_pass", ask["ask_pass"])
    if "become_ask_pass" in ask:
        _answer(answers, _become_question(given), "become_ask_pass", ask["become_ask_pass"])
    for position, name in enumerate(vaults):
        label, _, source = name.rpartition("@")
        if source in ("prompt", "prompt_ask_vault_pass"):
            question = (
                f"Vault password ({label or 'default'}): " if source == "prompt" else "Vault password: "
            )
            why = ask.get("ask_vault_pass") or f"vault identity {name}"
            secrets[position] = _answer(answers, question, "ask_vault_pass", why)
    asking = [_ASKING[option][1] for option in ask]
    kept = [word for word in words if word not in {one for _, one, _ in _ASKING.values()}]
    return Login([*kept, *asking], answers, vaults, secrets)


def _write(writer: int, secret: str) -> None:
    with contextlib.suppress(BrokenPipeError), open(writer, "w", encoding="utf-8") as pipe:
        pipe.write(secret)


def _parser() -> argparse.ArgumentParser:
    """Return a new parser of ansible-playbook's."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # it prints a traceback below its sentence
            from ansible.cli.playbook import PlaybookCLI

            cli = PlaybookCLI(["ansible-playbook"])
            cli.init_parser()
    except SystemExit as end:
        words = end.code if isinstance(end.code, str) else said.getvalue()
        raise FleetdiagError(
            f"Ansible cannot start: {progress.first_line(words).removeprefix('ERROR: ')}"
        ) from end
    except ImportError as error:
        raise FleetdiagError(
            f"Ansible cannot start ({error}); install ansible-core beside fleetdiag"
        ) from error
    parser: argparse.ArgumentParser = cli.parser
    parser.error = _refuse  # type: ignore[method-assign]
    return parser


def _refuse(message: str) -> NoReturn:
    raise FleetdiagError(f"{message} (of Ansible's options)")


def _vaults(given: Any) -> list[str]:
    """Return the vault identities in the order in which Ansible takes them, those of its configuration first."""
    from ansible import constants

    files = [f"{constants.DEFAULT_VAULT_IDENTITY}@{name}" for name in given.vault_password_files]
    asked = [f"{constants.DEFAULT_VAULT_IDENTITY}@prompt_ask_vault_pass"] if given.ask_vault_pass else []
    return [str(name) for name in (*constants.DEFAULT_VAULT_IDENTITY_LIST, *given.vault_ids, *files, *asked)]


def _why(option: str, given: Any, words: Sequence[str]) -> str:
    """Return what wants the question asked: the option, or the setting of the configuration; empty if nothing does."""
    setting, word, _ = _ASKING[option]
    if not getattr(given, option):
        return ""
    if word in words:
        return word
    from ansible import constants

    origin = constants.config.get_config_value_and_origin(setting)[1]
    return f"{option} of {str(origin).removeprefix('env: ')}"


def _become_question(given: Any) -> str:
    from ansible import constants

    method = "BECOME" if constants.AGNOSTIC_BECOME_PROMPT else str(given.become_method).upper()
    return f"{method} password{'[defaults to SSH password]' if given.ask_pass else ''}: "


def _answer(answers: dict[str, str], question: str, option: str, why: str) -> str:
    """Ask on the terminal, unless it is answered already; the answer is noted and returned."""
    pattern = f"^{re.escape(question.strip())}\\s*?$"
    if pattern not in answers:
        answers[pattern] = _ask(question, why, _ASKING[option][2])
    return answers[pattern]


def _ask(question: str, why: str, instead: str) -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise FleetdiagError(
            f"Ansible asks '{question.strip()}' ({why}), and there is no terminal to answer on; use {instead}"
        ) from error
    try:
        return getpass.getpass(question)
    except EOFError as error:
        raise FleetdiagError(f"'{question.strip()}' was not answered; use {instead}") from error
