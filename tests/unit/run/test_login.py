# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's options and its questions: asked once on a real terminal; without one, one sentence and never a wait."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pexpect
import pytest
from commands import command_line, environment

from fleetdiag.run import login

SWEEP = ("sweep", "-i", "hosts.yml", "--probe", "slow_open", "--window", "1s")
ABORT = ("abort", "-i", "hosts.yml")
ASKING = (
    "[defaults]\nask_pass = true\nask_vault_pass = true\n[privilege_escalation]\nbecome_ask_pass = true\n"
)


def alone(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command without any terminal, as cron does."""
    return subprocess.run(
        command_line(*words),
        cwd=home,
        env={**environment(home), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,
    )


def at_terminal(home: Path, *words: str, **variables: str) -> pexpect.spawn[str]:
    """Start the command on a terminal of its own."""
    command, *rest = command_line(*words)
    variables = {**environment(home), **variables}
    return pexpect.spawn(command, rest, cwd=str(home), env=variables, encoding="utf-8", timeout=100)


def sudo_that_notes(home: Path) -> Path:
    """Make the inventory one of this machine, whose sudo notes the password that it is given and then refuses."""
    note, sudo = home / "password", home / "sudo"
    sudo.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != -p ]; do shift; done\n'
        f'printf \'%s\' "$2" >&2; read -r password; echo "$password" >{note}\n'
        "echo; echo 'sudo: you are not in the sudoers file' >&2; exit 1\n"
    )
    sudo.chmod(0o755)
    host = {"ansible_connection": "local", "ansible_become_exe": str(sudo)}
    (home / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"web1": host}}}))
    return note


def vaulted(home: Path, password: str) -> None:
    """Give the inventory a variable that is encrypted, without which it cannot be read."""
    (home / "pw").write_text(password)
    (home / "group_vars").mkdir()
    (home / "group_vars" / "all.yml").write_text("secret: 1\n")
    words = ["ansible-vault", "encrypt", "--vault-password-file", "pw", "group_vars/all.yml"]
    subprocess.run(words, cwd=home, env=environment(home), check=True, capture_output=True)
    (home / "pw").unlink()


def test_ansibles_own_options_are_its_parsers() -> None:
    names = {name for action in login.options() for name in action.option_strings}
    assert {"-u", "--private-key", "-k", "--ask-pass", "-K", "--become-user", "--become-method"} <= names
    assert {"--become-password-file", "--connection-password-file", "--vault-id", "-J"} <= names
    assert {"-c", "-T", "--ssh-common-args", "--ssh-extra-args", "-D", "-M"} <= names
    assert {action.dest for action in login.options()} == set(login.OPTIONS)


@pytest.mark.parametrize("words", [SWEEP, ABORT])
@pytest.mark.parametrize(
    ("setting", "question"),
    [
        ("ASK_PASS", "SSH password:"),
        ("BECOME_ASK_PASS", "BECOME password:"),
        ("ASK_VAULT_PASS", "Vault password:"),
        ("VAULT_IDENTITY_LIST", "Vault password (prod):"),
    ],
)
def test_without_a_terminal_a_question_is_one_sentence(
    home: Path, words: tuple[str, ...], setting: str, question: str
) -> None:
    value = "prod@prompt" if setting == "VAULT_IDENTITY_LIST" else "1"
    done = alone(home, *words, **{f"ANSIBLE_{setting}": value})
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"fleetdiag: Ansible asks '{question}' (")
    assert "there is no terminal to answer on; use --" in sentence


def test_the_file_that_is_named_instead_is_taken(home: Path) -> None:
    (home / "ansible.cfg").write_text(ASKING)
    (home / "pw").write_text("secret\n")
    files = [f"--{kind}-password-file=pw" for kind in ("connection", "become", "vault")]
    done = alone(home, *SWEEP, *files)
    assert done.returncode == 3, done.stderr
    assert "preflight: web1: unreachable" in done.stderr


def test_each_question_is_asked_once_on_the_terminal(home: Path) -> None:
    vaulted(home, "of the vault")
    (home / "ansible.cfg").write_text(ASKING)
    note = sudo_that_notes(home)
    child = at_terminal(home, *ABORT, ANSIBLE_BECOME_ALLOW_SAME_USER="1")
    for question, answer in (
        ("SSH password: ", "of ssh"),
        (r"BECOME password\[defaults to SSH password\]: ", ""),
        ("Vault password: ", "of the vault"),
    ):
        child.expect(question)
        child.sendline(answer)
    child.expect("web1  NOT DONE: ")
    assert "SSH password" not in child.read()
    child.close()
    assert child.exitstatus == 3
    assert note.read_text() == "of ssh\n"


def test_a_question_that_nobody_foresaw_ends_the_command(home: Path) -> None:
    """A vault script that asks on the terminal: nobody would see that behind the command."""
    script = home / "ask.sh"
    script.write_text(
        "#!/bin/sh\nprintf 'PIN of the key: ' >/dev/tty && read -r pin </dev/tty && echo \"$pin\"\n"
    )
    script.chmod(0o755)
    child = at_terminal(home, *ABORT, "--vault-password-file", "ask.sh")
    output = child.read()
    child.close()
    assert child.exitstatus == 2, output
    assert "fleetdiag: " in output
    assert "ask.sh" in output


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"LC_ALL": "C"}, "Ansible requires the locale encoding to be UTF-8"),
        ({"HOME": "/proc/nowhere"}, "Unable to create local directories '/proc/nowhere"),
        ({"ANSIBLE_FORKS": "many"}, "Config 'DEFAULT_FORKS' from 'env: ANSIBLE_FORKS' has an invalid value"),
        ({"ANSIBLE_VAULT_PASSWORD_FILE": "/nowhere"}, "The vault password file /nowhere was not found"),
        ({"ANSIBLE_INVENTORY_ENABLED": "nobodys.own.plugin"}, "No inventory plugins available"),
        ({"ANSIBLE_CONFIG": "broken.cfg"}, "File contains no section headers"),
    ],
)
def test_an_ansible_that_cannot_start_says_why(home: Path, variables: dict[str, str], said: str) -> None:
    (home / "broken.cfg").write_text("[defaults\n")
    done = alone(home, *ABORT, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert said in sentence
    assert "ERROR" not in sentence


def test_the_inventory_of_the_configuration_is_taken(home: Path) -> None:
    (home / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    done = alone(home, "abort", "--list-hosts")
    assert (done.returncode, done.stdout, done.stderr) == (0, "web1\n", "")


def test_options_of_ansible_reach_it(home: Path) -> None:
    """A connection that does not exist is what Ansible complains of."""
    done = alone(home, *ABORT, "-c", "nobodys.own.connection")
    assert "nobodys.own.connection" in done.stdout + done.stderr
