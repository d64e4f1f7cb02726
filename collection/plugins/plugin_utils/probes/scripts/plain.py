# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes that are only a script: SystemTap's own examples (`example:network/nettop`) and files (`./my.stp`).

They run unchanged. What a manifest would say is found out here: title, arguments and globals from the script and
the `.meta` file beside an example; what it prints is found out from the output (see parse.detect).
"""

from __future__ import annotations

import difflib
import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import yaml_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import (
    first_line,
    policy,
    reading,
    target,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts.language import (
    Global,
    Script,
    calls,
    read,
)

EXAMPLE = "example:"
ORIGIN = "origin.txt"
"""File beside the topics of a folder of examples: one line that says where they come from."""

_EXAMPLE = re.compile(r"example:([a-z][a-z0-9_-]{0,39})/([A-Za-z0-9][A-Za-z0-9._-]{0,59})")
_META = re.compile(r"([a-z_]+(?:\[[^]]*\]\+)?\d*): *(.*)")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Points that are there on every kernel, and see nothing of it. timer.profile samples what the processors do.
_LIFELESS = re.compile(r"(begin|end|error|never|oneshot|procfs)\b|timer\.(?!profile\b)")
_ARGUMENT = re.compile(r"[$@]([1-9][0-9]?)")
_MAX_META = 64 * 1024
_SLUG = 30
_TOPICS = ("io", "memory", "network", "process")

# A script may cost more than a probe that was made to run on a machine in trouble, and nobody has measured it.
# Its texts are as long as SystemTap itself lets them be: 511 bytes and the end.
_LIMITS = {"output_mb": 32, "overload_percent": 30, "string_length": 512}


def is_script(name: str) -> bool:
    """Return whether this names an example or a file, not a probe of a catalog."""
    return is_example(name) or "/" in name or name.endswith(".stp")


def is_example(name: str) -> bool:
    return name.startswith(EXAMPLE)


def load(name: str, examples: Path | None, *, debuginfo: bool = False) -> Probe:
    """Return the probe of an example or a file. examples: the folder with the topics of SystemTap's examples.

    debuginfo: it is to be built with the kernel's debug symbols. FleetdiagError if there is no such script, or it
    may not run (see policy).
    """
    if is_example(name):
        return _example(name, examples, debuginfo)
    path = path_of(name)
    if path.is_dir():
        raise FleetdiagError(
            f"{printable(name)}: is a folder; give its catalog with --catalog, and the probe's name"
        )
    if not path.is_file():
        raise FleetdiagError(f"{printable(name)}: there is no such script; name a file that ends in .stp")
    _check_policy(printable(name), path)
    data = {
        "description": f"The script {printable(path.name)}, run as it is.",
        "question": f"What does {printable(path.name)} print?",
        "topic": "other",
        "origin": str(path.resolve()),
        "reading": reading.read(path),
    }
    return _probe(name, path, data, {}, debuginfo)


def path_of(name: str) -> Path:
    """Return the file that the name of a script is."""
    return Path(name).expanduser()


def topic_and_name(name: str) -> tuple[str, str]:
    """Return `("network", "nettop")` of `example:network/nettop`. Raises FleetdiagError if it is not of that form."""
    found = _EXAMPLE.fullmatch(name)
    if found is None:
        raise FleetdiagError(
            f"{printable(name)[:80]}: is not the name of an example; write example:TOPIC/NAME, for instance"
            " example:network/nettop"
        )
    return found[1], found[2].removesuffix(".stp")


def is_in(name: str, examples: Path | None) -> bool:
    """Return whether the script of an example is in this folder. Raises FleetdiagError if the name is none."""
    topic, short = topic_and_name(name)
    return examples is not None and (examples / topic / f"{short}.stp").is_file()


def distinct(probes: Iterable[Probe]) -> list[Probe]:
    """Return the same probes, with another name for a script whose name some probe before it has."""
    taken: set[str] = set()
    named = []
    for probe in probes:
        name = probe.name
        if probe.unmodified and name in taken:
            name = _shortened(f"{name}_{_digest(probe.origin)}")
        taken.add(name)
        named.append(replace(probe, name=name))
    return named


def in_cache(cache: Path) -> Path | None:
    """Return the folder of the examples of the newest SystemTap that this controller has met, if any."""

    def version(folder: Path) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", folder.name)]

    folders = [path.parent for path in (cache / "examples").glob(f"*/{ORIGIN}")]
    return max(folders, key=version, default=None)


def read_meta(text: str) -> dict[str, str]:
    """Return the fields of a `.meta` file: of one that comes twice the first. Lines without a key are left out."""
    fields: dict[str, str] = {}
    for line in text[:_MAX_META].splitlines():
        found = _META.match(line)
        if found:
            fields.setdefault(found[1], printable(found[2].strip()))
    return fields


def _example(name: str, examples: Path | None, debuginfo: bool) -> Probe:
    topic, short = topic_and_name(name)
    title = f"{EXAMPLE}{topic}/{short}"
    if examples is None:
        raise FleetdiagError(
            f"{title}: SystemTap's examples are not here yet; a sweep brings them from its builder"
        )
    folder = examples / topic
    script = folder / f"{short}.stp"
    meta = _meta(folder / f"{short}.meta")
    if not script.is_file():
        _no_script(title, folder / short, examples, meta)
    _check_program(title, meta)
    _check_policy(title, script)
    said = ": ".join(text for text in (meta.get("title", ""), meta.get("description", "")) if text)
    data = {
        "description": _sentence(said, f"SystemTap's example {topic}/{short}."),
        "question": f"{_sentence(meta.get('title', ''), f'{topic}/{short}')}: what does SystemTap's example show?",
        "topic": "nfs" if "nfs" in short else topic if topic in _TOPICS else "other",
        "origin": f"{_origin(examples)}, {topic}/{short}.stp",
    }
    return _probe(title, script, data, meta, debuginfo)


def _probe(title: str, path: Path, data: dict[str, Any], meta: Mapping[str, str], debuginfo: bool) -> Probe:
    text = policy.text_of(path)
    script = read(text)
    _check_live(title, script)
    data |= {
        "title": printable(title),
        "output": "auto",
        "cost": "medium",
        "unmodified": True,
        "limits": _LIMITS,
    }
    data["parameters"] = _parameters(script, check_arguments(path.name, meta), meta)
    data["flags"] = first_line.options_of(text).flags
    if need := target.need_of(script):
        data["target"] = need
        data["parameters"] = {
            target.NAME: target.parameter(need),
            **dict(list(data["parameters"].items())[:29]),
        }
    if any(True for body in script.bodies for _unused in calls(body, "exit")):
        data["exits"] = True
    if debuginfo:
        data["requires"] = {"debuginfo": True}
    data = {key: value for key, value in data.items() if value not in ({}, [])}
    return manifest.build(_slug(title), data, yaml_lines.Source(printable(title)), None, path)


def _check_policy(title: str, script: Path) -> None:
    found = policy.faults(policy.text_of(script), "script")
    if found:
        first = found[0]
        advice = "take another example" if is_example(title) else first.advice
        raise FleetdiagError(f"{title}: may not run: line {first.line} {first.what}; {advice}")


def _check_live(title: str, script: Script) -> None:
    """Refuse what can be seen without a compiler to watch nothing; the others are looked at when they are built."""
    points = [name for handler in script.handlers for name in handler.names]
    if script.macros or any(not _LIFELESS.match(point) for point in points):
        return
    only = ", ".join(dict.fromkeys(printable(point) for point in points)) or "nothing"
    raise FleetdiagError(
        f"{printable(title)}: has no live probe point: it probes {'only ' if points else ''}{only}, so it would run"
        " and say nothing of the host; take a script that probes an event, for instance syscall.open"
    )


# --- names


def _slug(title: str) -> str:
    """Return a name safe in file, unit and module names: `ex_network_nettop`, `stp_my`."""
    example = title.replace(EXAMPLE, "ex_")
    words = example if is_example(title) else f"stp_{Path(title).name.removesuffix('.stp')}"
    return _shortened(re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_"))


def _shortened(name: str) -> str:
    return name if len(name) <= _SLUG else f"{name[: _SLUG - 7]}_{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]


# --- what an example says of itself


def _meta(path: Path) -> dict[str, str]:
    try:
        return read_meta(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}  # a few examples have none


def _origin(examples: Path) -> str:
    try:
        return printable((examples / ORIGIN).read_text(encoding="utf-8", errors="replace").strip())[:200]
    except OSError:
        return str(examples)


def _sentence(text: str, otherwise: str) -> str:
    """Return a text of a `.meta` file as one line that a manifest may hold, or `otherwise` if it is empty."""
    line = " ".join(text.split())
    if len(line) > 380:
        line = line[:380].rsplit(" ", 1)[0] + " ..."
    return re.sub(r"\b(TODO|FIXME|TBD|XXX)\b", "...", line) or otherwise


def _no_script(title: str, path: Path, examples: Path, meta: Mapping[str, str]) -> NoReturn:
    if path.is_file() or meta:
        raise FleetdiagError(
            f"{title}: is a program that calls stap, not a script, so it cannot be compiled for other hosts;"
            " take an example that is a script (.stp)"
        )
    known = sorted(f"{EXAMPLE}{line}" for line in index(examples))
    near = difflib.get_close_matches(title, known, n=3)
    advice = f"did you mean {' or '.join(near)}?" if near else "see the list in SystemTap's documentation"
    raise FleetdiagError(f"{title}: there is no such example in {_origin(examples)}; {advice}")


def index(examples: Path) -> list[str]:
    """Return `network/nettop`, ... of all examples that the builder has, also of those that were never brought here."""
    try:
        return (examples / "index.txt").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _check_program(title: str, meta: Mapping[str, str]) -> None:
    """Raise FleetdiagError if the example's own check command needs BPF, guru mode or a command that stap starts."""
    words = _words(meta.get("test_check", ""))
    options = "".join(word[1:] for word in words[1:] if re.fullmatch(r"-[A-Za-z0-9]+", word))
    if any(word.startswith(("--bpf", "--runtime=bpf")) for word in words):
        raise FleetdiagError(
            f"{title}: is for SystemTap's BPF runtime; fleetdiag runs kernel modules: take another"
        )
    if words[:1] == ["stap"] and re.match(r"[wp0-9v]*g", options):
        raise FleetdiagError(
            f"{title}: needs guru mode (stap -g), in which a script may change the kernel; it is never given:"
            " take another example"
        )
    if "-c" in words:
        raise FleetdiagError(
            f"{title}: watches a command that stap itself starts (-c), which there is none on a host that is probed;"
            " take another example"
        )


# --- parameters


def check_arguments(file: str, meta: Mapping[str, str]) -> list[str]:
    """Return the arguments with which SystemTap's own check compiles it; options of stap among them are left out."""
    words = _words(meta.get("test_check", ""))
    place = next((at for at, word in enumerate(words) if Path(word).name == file), len(words))
    arguments: list[str] = []
    for word in words[place + 1 :]:
        if word in ("-c", "-x", "-d"):
            break
        if not word.startswith("-"):
            arguments.append(word)
    return arguments


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _parameters(script: Script, checked: Sequence[str], meta: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    parameters: dict[str, dict[str, Any]] = {}
    used = [
        (int(found[1]), word.choice) for word in script.words if (found := _ARGUMENT.fullmatch(word.text))
    ]
    needed = max((number for number, choice in used if not choice), default=len(checked))
    if needed or used or any(word.text.startswith(("argv", "argc", "$#", "@#")) for word in script.words):
        parameters["args"] = {
            "type": "words",
            "default": "",
            "min": needed,
            "when": "compile",
            "description": _described(checked, meta),
        }
    for variable in script.globals:
        declared = _global(variable)
        if declared is not None and variable.name not in parameters:
            parameters[variable.name] = declared
    return dict(list(parameters.items())[:30])


def _described(checked: Sequence[str], meta: Mapping[str, str]) -> str:
    said = "; ".join(text for key, text in meta.items() if key.startswith("arg_") and text)
    usage = f"SystemTap's own check gives: {printable(shlex.join(checked))}" if checked else ""
    texts = [text.rstrip(".") for text in (said, usage) if text] or ["Arguments of the script"]
    return _sentence(". ".join(texts) + ".", "")


def _global(variable: Global) -> dict[str, Any] | None:
    """Return a parameter for a global of one number or text that the script sets, to be set at load; else None."""
    if variable.sized or variable.value is None or not _PARAMETER.fullmatch(variable.name):
        return None
    if variable.name.startswith("fd_") or variable.name == "args":
        return None
    kind = "int" if isinstance(variable.value, int) else "string"
    if kind == "string" and not re.fullmatch(r"[A-Za-z0-9_.:/@-]*", str(variable.value)):
        return None
    return {"type": kind, "default": variable.value, "description": "A global of the script."}
