# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from fleetdiag.lab import cache


def fill(path: Path) -> None:
    (path / "content").write_text("made")


def test_key_depends_on_content_not_on_order() -> None:
    recipe: dict[str, object] = {"packages": ["a", "b"], "format": 1}
    same: dict[str, object] = {"format": 1, "packages": ["a", "b"]}
    other: dict[str, object] = {"format": 1, "packages": ["b", "a"]}
    assert cache.key("image", recipe) == cache.key("image", same) != cache.key("image", other)
    assert cache.KEY.fullmatch(cache.key("image-forky", recipe))


def test_entry_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        fill(path)

    first = cache.entry(tmp_path, "image-1", make)
    assert cache.entry(tmp_path, "image-1", make) == first == tmp_path / "image-1"
    assert len(made) == 1
    assert (first / "content").read_text() == "made"


def test_an_interrupted_build_leaves_no_entry_and_is_done_again(tmp_path: Path) -> None:
    def interrupted(path: Path) -> None:
        fill(path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry(tmp_path, "image-1", interrupted)
    assert not (tmp_path / "image-1").exists()
    cache.drop_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (cache.entry(tmp_path, "image-1", fill) / "content").exists()


def test_prune_keeps_what_is_used_and_everything_that_is_not_an_entry(tmp_path: Path) -> None:
    used, unused = "image-forky-" + "0" * 16, "image-forky-" + "1" * 16
    for name in (used, unused, "builder-keep", "keys"):
        (tmp_path / name).mkdir()
    cache.prune(tmp_path, {used}, "image")
    cache.prune(tmp_path, set(), "builder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["builder-keep", used, "keys"]
