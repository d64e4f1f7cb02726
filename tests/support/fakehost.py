# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without a machine, for action plugins: Ansible's own connection class, which answers as the test says."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import shell_loader
from ansible.template import Templar

COLLECTION = "fleetdiag.systemtap"
Answer = tuple[int, str, str]
"""(exit code, stdout, stderr)"""


class FakeConnection(ConnectionBase):  # type: ignore[misc]
    """Hands each command to its host; nothing is ever run."""

    transport = "fake"
    has_pipelining = True

    def __init__(self, host: FakeHost) -> None:
        super().__init__(PlayContext())
        self._load_name = "local"
        self.host = host
        self._shell = shell_loader.get("sh")

    def _connect(self) -> FakeConnection:
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        del sudoable
        code, out, err = self.host.answer(cmd, in_data)
        return code, out.encode("utf-8", "surrogateescape"), err.encode()

    def put_file(self, in_path: str, out_path: str) -> None:
        self.host.files[out_path] = in_path

    def fetch_file(self, in_path: str, out_path: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """There is nothing to close."""


class FakeHost:
    """One host. asked: the (command, standard input) it was given; modules: the (name, arguments) it was to run."""

    def __init__(self, name: str = "web1") -> None:
        self.name = name
        self.asked: list[tuple[str, bytes]] = []
        self.modules: list[tuple[str, dict[str, Any]]] = []
        self.files: dict[str, str] = {}
        self._answers: list[tuple[str, list[Answer | Exception]]] = []
        self._module: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def says(self, words: str, *answers: str | Answer | Exception) -> FakeHost:
        """Answer commands that contain `words`: one answer after the other, the last one for ever."""
        whole = [(0, answer, "") if isinstance(answer, str) else answer for answer in answers]
        self._answers.append((words, whole))
        return self

    def is_gone(self) -> FakeHost:
        """Answer nothing: the connection is lost."""
        return self.says("", AnsibleConnectionFailure("Failed to connect to the host via ssh: timed out"))

    def runs(self, module: Callable[[dict[str, Any]], dict[str, Any]]) -> FakeHost:
        """Answer every module with what this makes of its arguments."""
        self._module = module
        return self

    def answer(self, command: str, data: bytes | None) -> Answer:
        self.asked.append((command, data or b""))
        for words, answers in self._answers:
            if words in command:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if isinstance(answer, Exception):
                    raise answer
                return answer
        raise AssertionError(f"the test does not say what the host answers to: {command}")

    def run_module(self, module_name: str, module_args: dict[str, Any]) -> dict[str, Any]:
        self.modules.append((module_name, module_args))
        assert self._module is not None, f"the test does not say what the host answers to {module_name}"
        return self._module(module_args)


def act(
    action: str,
    host: FakeHost,
    /,
    *,
    check_mode: bool = False,
    task_vars: Mapping[str, Any] | None = None,
    **args: Any,
) -> dict[str, Any]:
    """Return the result of one action plugin for a host, as Ansible would have it from the worker."""
    plugin = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{action}")
    task = Task()
    task.action, task.args, task.check_mode = f"{COLLECTION}.{action}", args, check_mode
    task.name = f"Step | {action}"
    loader = DataLoader()
    module: ActionBase = plugin.ActionModule(
        task=task,
        connection=FakeConnection(host),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )

    def execute_module(module_name: str, module_args: dict[str, Any], **_: Any) -> dict[str, Any]:
        return host.run_module(module_name, module_args)

    module._execute_module = execute_module
    result: dict[str, Any] = module.run(task_vars={"inventory_hostname": host.name, **(task_vars or {})})
    return result
