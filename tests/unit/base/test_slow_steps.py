# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long says what it is, once and while it lasts; what is quick says nothing."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.slow_steps import told


def test_a_step_that_lasts_is_told_once_and_before_it_ends() -> None:
    said: list[str] = []
    heard = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        heard.set()

    with told(tell, seconds=0.01) as begin:
        begin("first")
        assert heard.wait(60)
        heard.clear()
        begin("second")
        assert heard.wait(60)
    assert said == ["first", "second"]


def test_quick_steps_are_not_told() -> None:
    said: list[str] = []
    with told(said.append, seconds=3600) as begin:
        for number in range(1000):
            begin(str(number))
    assert said == []


def test_nobody_need_listen() -> None:
    before = threading.active_count()
    with told(None) as begin:
        begin("quick")
        assert threading.active_count() == before


def test_what_fails_ends_it_too() -> None:
    before = threading.active_count()

    def fail() -> None:
        with told(print, seconds=3600):
            assert threading.active_count() > before
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert threading.active_count() == before
