#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write each sentence that refuses or fails, and what to do, into troubleshooting.md (--check: only compare)."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import marked
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import contact  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import compatibility  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.report import remedies  # noqa: E402
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import preflight  # noqa: E402

PAGE = ROOT / "collection/docs/troubleshooting.md"
LIST_FILE = Path(__file__).with_suffix(".toml")
LIST = tomllib.loads(LIST_FILE.read_text(encoding="utf-8"))
AREAS: list[dict[str, Any]] = LIST["area"]
REMEDIES: dict[str, str] = LIST["remedies"]
FIT = {
    "uid": "0",
    "systemd": "257",
    "init": "systemd",
    "free_mb": "5000",
    "mem_available_mb": "700",
    "staprun": "5.1",
}
# What preflight reckons: a host that lacks it -> the figure that stands in its sentence.
RECKONED = ({"free_mb": "12"}, {"mem_available_mb": "12"}, {"staprun": ""})
# Exceptions that are a sentence for a person.
SENTENCES = re.compile(r"(?:Fleetdiag|Builder|Transfer|Balancer|Gone|Weightless|KernelInfo)Error")
# How the program on the host ends, and a variable in that.
_ENDS = re.compile(r'\b(?:die|refuse "[^"]*") "((?:\$\{[^}]*\}|[^"])+)"')
_VARIABLE = re.compile(r"\$\{?(\w+)(?:[^}\w\s][^}]*\})?")
_CONSTANT = re.compile(r"^([A-Z_]+)=(\S*/\S+)$", re.MULTILINE)
GAP = "..."


class Message(NamedTuple):
    """A sentence; what differs from case to case stands in capitals. where: the file it is in, for the area."""

    where: str
    said: str
    remedy: str


def refusals() -> Iterator[tuple[str, str]]:
    """Yield (reason, remedy) of every refusal of preflight; what the host says stands in capitals."""
    said = {"lockdown": "LOCKDOWN", "container": "KIND", "init": "NAME"}
    yield from ((rule.reason.format(**said), rule.remedy) for rule in preflight.RULES)
    for lack in RECKONED:
        refused = preflight.refusal({**FIT, **lack}, min_free_mb=200)
        assert refused is not None
        yield refused.reason.replace("12 MB", "N MB").replace("200", "M"), refused.remedy


def misfits() -> Iterator[tuple[str, str]]:
    """Yield (reason, remedy) of pairs of SystemTap, runtime and kernel that do not work together."""
    pairs = (
        ("4.9", "5.1", "6.12.1"),
        ("5.1", "5.1", "6.12.1"),
        ("5.6", "4.8", "6.1.1"),
        ("4.8", "5.1", "6.1.1"),
    )
    found = [compatibility.verdict(*pair) for pair in pairs]
    found += [compatibility.verdict(None, "", "6.1.1"), compatibility.verdict("", "5.1", "6.1.1")]
    yield from dict.fromkeys((one.reason, one.remedy) for one in found if not one.ok)


def words(pattern: str) -> str:
    """Return the texts that a pattern of remedies looks for, as a person would write them."""
    shown = re.sub(r"\(\?:([^)]*)\)\??", lambda group: group[1].replace("|", "/"), pattern)
    shown = re.sub(r"\\S[+*]|\.\*", GAP, shown).replace("[Oo]", "o")
    return ", ".join(f"`{part}`" for part in shown.split("|"))


def text(node: ast.expr) -> str:
    """Return the text of an expression; what is put into it becomes its name in capitals."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(text(part) for part in node.values)
        case ast.FormattedValue():
            return _name(node.value)
        case ast.BinOp(op=ast.Add()):
            return text(node.left) + text(node.right)
    return GAP


def _name(node: ast.expr) -> str:
    """Return what a value in a sentence is called: `{path}` is PATH, `{printable(host.name)}` is NAME."""
    match node:
        case ast.Name():
            return node.id.strip("_").upper()
        case ast.Attribute():
            return node.attr.strip("_").upper()
        case ast.Call(args=[first, *_]):
            return _name(first)
    return GAP


def raised(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (sentence, remedy or "") of what a module raises, refuses in a manifest, or tells as the doctor."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called, args = ast.unparse(node.func), [text(one) for one in node.args]
        if SENTENCES.fullmatch(called) and args:
            yield args[0], ""
        elif called.endswith("source.fail") and len(args) == 3:
            yield args[1], args[2]
        elif called == "Line" and len(args) == 4 and args[0] != "OK" and "doctor" in path.parts:
            yield args[2], args[3]


def of_the_host(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (sentence, "") of what a part of the host program ends with."""
    places = {"0": GAP, **dict(_CONSTANT.findall(path.with_name("base.part").read_text(encoding="utf-8")))}

    def shown(variable: re.Match[str]) -> str:
        name = "0" if variable[1].isdigit() else variable[1]
        return _VARIABLE.sub(shown, places.get(name, name.upper()))

    for found in _ENDS.finditer(path.read_text(encoding="utf-8")):
        yield _VARIABLE.sub(shown, found[1]), ""


def of_tasks(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (sentence, "") of what a role's tasks refuse."""
    for said in _refused(yaml.safe_load(path.read_text(encoding="utf-8"))):
        yield re.sub(r"\{\{.*?\}\}", GAP, said, flags=re.DOTALL), ""


def _refused(tasks: object) -> Iterator[str]:
    """Yield the texts of asserts and failures anywhere in tasks."""
    if isinstance(tasks, list):
        for task in tasks:
            yield from _refused(task)
    elif isinstance(tasks, dict):
        for key, value in tasks.items():
            if key == "fail_msg" or key == "ansible.builtin.fail":
                yield value if key == "fail_msg" else value["msg"]
            else:
                yield from _refused(value)


def messages() -> Iterator[Message]:
    """Yield all sentences, those of the tables of rules first."""
    yield from (Message("preflight", *one) for one in refusals())
    yield from (Message("compatibility", *one) for one in misfits())
    sources = (
        *(
            (path, raised)
            for root in ("src/fleetdiag", "collection/plugins")
            for path in (ROOT / root).rglob("*.py")
        ),
        *((path, of_the_host) for path in (ROOT / "collection/roles/sweep/files/guard").glob("*.part")),
        *((path, of_tasks) for path in (ROOT / "collection/roles").glob("*/tasks/**/*.yml")),
    )
    for path, read in sorted(sources, key=lambda one: one[0]):
        where = path.relative_to(ROOT).as_posix()
        for said, remedy in read(path):
            sentence = " ".join(said.split())
            if len(re.findall(r"\b[a-z]{2,}", sentence)) > 1:  # else the words are another's
                yield Message(where, *_parted(sentence, remedy, host=read is not raised))


def _parted(said: str, remedy: str, *, host: bool) -> tuple[str, str]:
    """Return a sentence, and what it says to do: after its last semicolon, on hosts also after its last colon."""
    for mark in ("; ", *((": ",) if host else ())):
        what, _, advice = said.rpartition(mark)
        if what and not remedy and not (host and advice.startswith((GAP, "'"))):
            return what, advice
    return said, remedy


def advised(message: Message) -> Message:
    """Return a sentence with the remedy of the list, if that has one for it."""
    listed = (advice for begin, advice in REMEDIES.items() if message.said.startswith(begin))
    return message._replace(remedy=next(listed, message.remedy))


def area_of(message: Message) -> dict[str, Any] | None:
    """Return the area of a sentence: that with the longest path that leads to it."""
    fits = [(len(path), area) for area in AREAS for path in area["paths"] if message.where.startswith(path)]
    return max(fits, key=lambda one: one[0])[1] if fits else None


def faults(found: Iterable[Message]) -> Iterator[str]:
    """Yield what is missing in the list for these sentences, and what is in it for none."""
    found = list(found)
    for one in found:
        area = area_of(one)
        if area is None:
            yield f"{one.where}: no area of {LIST_FILE.name} has it; name its path there"
        elif not advised(one).remedy and "otherwise" not in area:
            yield f"{one.where}: does not say what to do: '{one.said}'; say it there or in {LIST_FILE.name}"
    unused = [begin for begin in REMEDIES if not any(one.said.startswith(begin) for one in found)]
    yield from (f"{LIST_FILE.name}: no sentence begins so any more: '{begin}'; remove it" for begin in unused)


def sections(found: Iterable[Message]) -> Iterator[str]:
    """Yield the text of the page: a table for each area, and two of what other programs say."""
    placed = [(area_of(one), advised(one)) for one in found]
    for area in AREAS:
        rows = [(f"`{one.said}`", one.remedy or area["otherwise"]) for of, one in placed if of is area]
        yield from _section(area["title"], area["about"], rows)
    yield from _section(
        "What ssh, sudo and Ansible say",
        "The words that fleetdiag knows; they stand behind `unreachable` or `failed`.",
        [(words(rule), remedy) for rule, remedy in contact.REMEDIES],
    )
    yield from _section(
        "What staprun and the kernel say",
        "Of a session that did not run, or ended early.",
        [(words(rule), remedy) for rule, remedy in remedies.REMEDIES],
    )


def _section(title: str, about: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from ("", f"### {title}", "", about, "", "| said | what to do |", "| --- | --- |")
    for cells in dict.fromkeys(rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main() -> int:
    found = list(messages())
    if missing := list(faults(found)):
        print("\n".join(missing), file=sys.stderr)
        return 1
    return marked.write(PAGE, "messages", "\n".join(sections(found)) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
