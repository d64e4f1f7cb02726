# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers may be lowered, whatever the balancer is. Real balancers: test_haproxy_weight, test_lvs, test_drain."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import (
    BalancerError,
    Server,
    Terms,
    WeightlessError,
    plan,
    plan_all,
    read_terms,
    sort_out,
)

HALF = Terms(50, is_share=True, floor_percent=10, min_active=1)


def server(name: str, backend: str = "web", **more: Any) -> Server:
    facts = {"weight": 100, "initial": 100, "sessions": 0, "active": True, **more}
    return Server(socket="lb", backend=backend, name=name, **facts)


@pytest.mark.parametrize(("text", "largest"), [("257", 256), ("70000", 65535), ("101%", 65535), ("-1", 256)])
def test_the_largest_weight_is_the_balancers(text: str, largest: int) -> None:
    with pytest.raises(BalancerError, match=f"is neither 0 to {largest} nor 0% to 100%"):
        read_terms(text, largest, floor_percent=10, min_active=1)
    assert read_terms("256", 65535, floor_percent=10, min_active=1).number == 256


def test_of_two_that_cannot_be_lowered_at_once_the_first_is() -> None:
    known = [server("a"), server("b"), server("c", active=False)]
    found = sort_out(known, ["b", "a", "x"], HALF)
    assert (found.fit, list(found.unfit), found.unknown) == (["b"], ["a"], ["x"])
    assert "only 0 other active servers would be left" in found.unfit["a"]


def test_the_floor_refuses_only_what_takes_requests() -> None:
    """A server in maintenance stays as it is, and that is no reason to refuse it elsewhere."""
    known = [server("a", weight=1, initial=1), server("a", "pages"), server("b"), server("b", "pages")]
    with pytest.raises(
        BalancerError, match="lb: web/a: its weight 1 cannot be lowered to 50% above the floor"
    ):
        plan_all(known, ["a"], HALF)
    idle = [server("a", weight=1, initial=1, active=False), *known[1:]]
    assert [entry.backend for entry in plan_all(idle, ["a"], HALF)] == ["pages"]
    assert [entry.backend for entry in plan(known, ["a"], HALF)] == ["pages"]


def test_a_backend_that_takes_no_weight_takes_0() -> None:
    known = [server("a", weightless="balance first knows no weights"), server("b")]
    with pytest.raises(WeightlessError, match="lb: web/a: balance first knows no weights"):
        plan(known, ["a"], HALF)
    nothing = Terms(0, is_share=True, floor_percent=0, min_active=1)
    assert [entry.set for entry in plan(known, ["a"], nothing)] == [0]
