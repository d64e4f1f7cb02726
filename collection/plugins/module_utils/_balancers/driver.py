# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of balancer brings: a module of this package with these names."""

from __future__ import annotations

import re
from typing import Any, Protocol

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._balancers.policy import Server


class Driver(Protocol):
    """A module. Its functions raise BalancerError where the balancer cannot be asked or refuses.

    KIND: its name. UNIT: prefix of the names of its timers' units. MAX_WEIGHT: the largest weight it knows. NAME: what
    the name of a server or a backend looks like, NAME_RULE: the same in words. A socket tells the balancers of one
    machine apart.
    """

    @property
    def KIND(self) -> str: ...  # noqa: N802 -- a constant of the module

    @property
    def UNIT(self) -> str: ...  # noqa: N802

    @property
    def MAX_WEIGHT(self) -> int: ...  # noqa: N802

    @property
    def NAME(self) -> re.Pattern[str]: ...  # noqa: N802

    @property
    def NAME_RULE(self) -> str: ...  # noqa: N802

    def servers(self, path: str, /) -> list[Server]:
        """Return every server of every backend of the balancer at this socket."""

    def read_weight(self, path: str, backend: str, server: str, /) -> int:
        """Return the present weight. Raises GoneError where there is no such server."""

    def set_weight(self, path: str, backend: str, server: str, weight: int, /) -> None:
        """Set the weight. Raises WeightlessError where the backend takes none; nothing was changed then."""

    def sessions(self, path: str, /) -> dict[str, int]:
        """Return the current sessions of each server by its label."""

    def statistics(self, path: str, backends: list[str], /) -> list[dict[str, Any]]:
        """Return what is counted of each server, for the run directory; of all backends when none is named."""
