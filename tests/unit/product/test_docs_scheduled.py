# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on scheduled sweeps says what the configuration and the metrics have."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from fleetdiag import config
from fleetdiag.notify import textfile

PAGE = Path(__file__).parents[3] / "collection/docs/scheduled_sweeps.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_all_keys_of_a_sweep_are_listed_as_the_schema_describes_them() -> None:
    listed = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", TEXT.partition("## All keys")[2], re.MULTILINE))
    known = config.schema()["$defs"]["sweep"]["properties"]
    assert listed == {name: item["description"] for name, item in known.items()}


def test_all_metrics_are_listed() -> None:
    assert set(re.findall(r"^\| `(fleetdiag_sweep_[a-z_]+)", TEXT, re.MULTILINE)) == set(textfile.FAMILIES)


def test_its_examples_are_a_configuration_without_a_fault() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    data = tomllib.loads(blocks[0])
    for block in blocks[1:]:
        for table, values in tomllib.loads(block).items():
            for name, value in values.items():
                if isinstance(value, dict):
                    data.setdefault(table, {}).setdefault(name, {}).update(value)
                else:
                    data.setdefault(table, {})[name] = value
    assert config.faults(config_file.File(Path("page.toml"), data)) == []
    assert set(config.of_checked(config_file.File(Path("/page.toml"), data)).receivers) == {
        "ops",
        "pager",
        "smtp",
        "own",
        "chat",
    }


def test_the_files_it_names_are_there() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / link).exists(), link
