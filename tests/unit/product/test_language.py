# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of the code: a docstring begins with a verb and says what the caller gets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NO_VERB = re.compile(
    r"(A|All|An|Both|By|Each|Every|For|From|How|If|In|It|No|One|Some|That|The|This|True|What|When|Which|Who)\b"
)


@pytest.mark.parametrize("folder", ["collection/plugins", "src/fleetdiag"])
def test_docstrings_of_functions_begin_with_a_verb(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {said.splitlines()[0]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (said := ast.get_docstring(node)) and NO_VERB.match(said)
    ]
    assert found == []
