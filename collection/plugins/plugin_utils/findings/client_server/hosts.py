# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host of a sweep a name or an address means."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping, Sequence

Addresses = Mapping[str, Sequence[str]]
"""Of each host the addresses it has, as it said them."""
Windows = Mapping[str, tuple[float, float]]
"""Of each host when it was sampled, seconds since the epoch; of batches each has its own."""


class Hosts:
    """Which host has a name or an address. An address that several hosts have (of containers, say) is nobody's."""

    def __init__(self, addresses: Addresses, windows: Windows) -> None:
        self._windows = windows
        owners: dict[str, set[str]] = {}
        for host, listed in addresses.items():
            for address in listed:
                if (plain := normal(address)) and not _is_loopback(plain):
                    owners.setdefault(plain, set()).add(host)
        self._by_address = {address: min(hosts) for address, hosts in owners.items() if len(hosts) == 1}
        self._names = set(addresses)
        short = Counter(name.partition(".")[0] for name in addresses)
        self._by_short = {
            name.partition(".")[0]: name for name in addresses if short[name.partition(".")[0]] == 1
        }

    def named(self, text: str, said_by: str) -> str | None:
        """Return the host that `text` means on the host that said it; None if nobody knows."""
        address = normal(text)
        if address:
            return said_by if _is_loopback(address) else self._by_address.get(address)
        if text == "localhost":
            return said_by
        if text in self._names:
            return text
        return self._by_short.get(text.partition(".")[0])

    def together(self, one: str, other: str) -> bool:
        """Return whether they were sampled at the same time, for the most part; True where that is not known."""
        if one not in self._windows or other not in self._windows:
            return True
        (start, end), (begin, stop) = self._windows[one], self._windows[other]
        return min(end, stop) - max(start, begin) > min(end - start, stop - begin) / 2


def normal(address: str) -> str:
    """Return an address in its one spelling, an IPv4 address within IPv6 as itself; empty for what is none."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
