# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is what the code has."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import yaml

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import sources
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import catalog
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.scripts import language
from fleetdiag.cli import main as cli

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "collection" / "docs" / "writing_probes.md"


def test_the_reference_of_the_manifest_is_that_of_the_schema() -> None:
    made = subprocess.run([sys.executable, ROOT / "tools" / "manifest_reference.py", "--check"], check=False)
    assert made.returncode == 0, "run tools/manifest_reference.py"


def test_the_drawing_of_the_architecture_is_that_of_the_imports() -> None:
    made = subprocess.run([sys.executable, ROOT / "tools" / "architecture.py", "--check"], check=False)
    assert made.returncode == 0, "run tools/architecture.py"


def test_the_pages_of_the_probes_are_those_of_their_manifests() -> None:
    made = subprocess.run([sys.executable, ROOT / "tools" / "probe_pages.py", "--check"], check=False)
    assert made.returncode == 0, "run tools/probe_pages.py"


def test_the_page_of_troubles_has_each_sentence_of_the_code() -> None:
    """And says what to do about it; the list beside the tool has nothing for a sentence that is gone."""
    words = [sys.executable, ROOT / "tools" / "messages.py", "--check"]
    made = subprocess.run(words, check=False, stderr=subprocess.PIPE, text=True)
    assert made.returncode == 0, made.stderr or "run tools/messages.py"


def test_the_readme_names_all_that_the_collection_has() -> None:
    collection = ROOT / "collection"
    text = (collection / "README.md").read_text(encoding="utf-8")
    named = {
        *(path.stem for path in (collection / "playbooks").glob("*.yml")),
        *(path.name for path in (collection / "roles").iterdir() if path.is_dir()),
        *(
            path.stem
            for kind in ("modules", "callback")
            for path in (collection / "plugins" / kind).glob("*.py")
        ),
    }
    assert len(named) > 25
    assert [name for name in sorted(named) if f"`{name}`" not in text] == []
    pages = [path.name for path in PAGE.parent.glob("*.md")]
    assert [name for name in sorted(pages) if f"(docs/{name})" not in text] == []


def test_the_site_has_every_guide() -> None:
    index = (ROOT / "tools" / "docs" / "index.md").read_text(encoding="utf-8")
    guides = [f"docs/{path.stem}" for path in PAGE.parent.glob("*.md")]
    assert [name for name in sorted(guides) if name not in index.splitlines()] == []


def test_the_manifest_that_is_shown_is_one() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## The manifest\n", 1)[1]
    block = re.match(r"\n((?: {4}.*\n|\n)+)", section)
    assert block is not None
    probe = catalog.probe_from_manifest("shown", yaml.safe_load(textwrap.dedent(block[1])))
    assert [column.name for column in probe.tables["files"].measures] == ["open_time", "files"]


def test_what_is_said_of_the_tapset_is_there() -> None:
    """Functions, aliases and variables; the protocol that every probe uses is said in full."""
    there: set[str] = set()
    for text in sources.tapset().values():
        script = language.read(text)
        there |= {*script.functions, *(handler.alias for handler in script.handlers)}
    said = set(re.findall(r"`(?:probe )?(fd[_.]\w+(?:\.\w+)*)[`(]", PAGE.read_text(encoding="utf-8"))) - {
        "fd_"
    }
    assert said >= {"fd_sampling", "fd_row", "fd_str", "fd.interval"}
    assert said - there == set()


# --- the page of SystemTap's examples: tools/examples.py ---

EXAMPLES = ROOT / "collection" / "docs" / "examples.md"


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_examples", ROOT / "tools" / "examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def test_forty_examples_of_six_topics_ran() -> None:
    ran = set()
    for section in EXAMPLES.read_text(encoding="utf-8").split("\n## ")[1:]:
        topic, _, table = section.partition("\n")
        for row in table.strip().splitlines()[2:]:
            cells = re.split(r"(?<!\\) ?\| ?", row)[1:-1]
            if cells[5].split(":")[0].removesuffix(" (BTF)") == "ran":
                ran.add((topic, cells[0]))
                assert cells[2] in ("table", "rows", "text", "calltrace"), row
                assert int(cells[3]) + int(cells[4]) > 0, row
    assert len(ran) >= 40
    assert len({topic for topic, _ in ran}) >= 6


def test_the_page_of_examples_can_be_found() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    role = (ROOT / "collection/roles/sweep/README.md").read_text(encoding="utf-8")
    assert "(collection/docs/examples.md)" in readme
    assert "`docs/examples.md`" in role


def test_the_same_outcomes_give_the_same_page() -> None:
    tool = _tool()
    conditions = {"stap": "5.6", "distribution": "Debian 13", "kernel": "6.12", "window": "12 s"}
    outcomes = [
        tool.Outcome("process/sigmon", "Track a signal", "ran", "text", 0, 7, arguments="SIGCHLD"),
        tool.Outcome("io/iotop", "By <process> | file", "debuginfo", why="probe vfs.read.return"),
        tool.Outcome("io/bitesize", "Sizes", "ran", "table", rows=3, types="btf"),
        tool.Outcome("io/silent", "Nothing", "silent"),
    ]
    page = tool.page(outcomes, conditions)
    for order in itertools.permutations(outcomes):
        assert tool.page(order, conditions) == page
    assert page.index("## io") < page.index("## process")
    assert "| bitesize | Sizes | table | 3 | 0 | ran (BTF) |" in page
    assert "| sigmon `SIGCHLD` | Track a signal | text | 0 | 7 | ran |" in page
    assert "| iotop | By &lt;process> \\| file |  |  |  | needs debuginfo: `probe vfs.read.return` |" in page


def test_what_became_of_an_example_is_read_from_the_report() -> None:
    tool = _tool()
    session = {"status": "sampled", "rows": 0, "losses": [], "error": ""}
    section = {"title": "example:io/x", "name": "ex_io_x", "output": "text", "texts": [], "calls": []}
    report = {"coverage": [{"sessions": {"ex_io_x": session}, "reason": ""}], "probes": [section]}

    def outcome() -> tuple[str, str, str]:
        made = tool.outcome_of("io/x", "X", "", report)
        return made.status, made.form, made.why

    assert outcome() == ("silent", "", "")
    section["texts"] = [{"total": 4}]
    assert outcome() == ("ran", "text", "")
    session["losses"] = [{"text": "3 probes were skipped"}]
    assert outcome() == ("ran", "text", "3 probes were skipped")
    said = "needs debuginfo: what it probes is known only from the kernel's debug symbols (vfs.read); sweep again"
    session |= {"status": "not built", "error": said}
    assert outcome() == ("debuginfo", "", "vfs.read")
    session["error"] = "semantic error: no match\nmore of it"
    assert outcome() == ("not built", "", "semantic error: no match")
    session |= {"status": "not armed", "error": "Module load error"}
    assert outcome() == ("failed", "", "Module load error")


def test_every_test_that_the_security_model_names_is_there() -> None:
    text = (ROOT / "collection" / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:unit|integration|fuzz)/[\w/]+\.py", text))
    assert len(named) >= 8
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []


# --- commands ---


def shown_commands() -> list[str]:
    """Return the commands that READMEs and guides show, without comments and what the shell does with their output."""
    pages = [ROOT / "README.md", *(ROOT / "collection").glob("*.md"), *PAGE.parent.glob("*.md")]
    pages += (ROOT / "collection/roles").glob("*/README.md")
    texts = [
        re.sub(r" \\\n +", " ", page.read_text(encoding="utf-8")) for page in pages
    ]  # as a shell joins lines
    lines = [line for text in texts for line in text.splitlines()]
    found = [line.removeprefix("    .venv/bin/").strip() for line in lines if line.startswith("    ")]
    return [re.split(r" {2,}#| [|>&]+ | #", line)[0] for line in found if line.startswith("fleetdiag ")]


def test_commands_that_guides_show_are_understood() -> None:
    """By the parser of the command, which knows Ansible's options too."""
    shown = sorted(set(shown_commands()))
    assert len(shown) >= 30
    parser = cli.parser()
    for line in shown:
        assert callable(parser.parse_args(shlex.split(line)[1:]).func), line


def test_guides_say_what_the_program_says() -> None:
    """A sentence that is quoted in the table of troubles stands in the code."""
    table = (PAGE.parent / "troubleshooting.md").read_text(encoding="utf-8").split("## A host cannot")[0]
    said = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    for sentence in said:
        words = max(re.split(r"'[^']*'|\.\.\.|\([^)]*\)", sentence), key=len).strip(" :,()")
        assert words in code or words.startswith("No module named"), sentence
