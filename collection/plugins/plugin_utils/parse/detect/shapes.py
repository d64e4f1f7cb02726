# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of tables that were found in an output: which lines begin them, which are their rows, where they end."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.drawn_shapes import (
    HistogramShape,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.record_shapes import (
    GlobalShape,
    JsonShape,
    PairsShape,
    RateShape,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.shape_base import Shape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.stacks import StacksShape
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.detect.table_shapes import (
    HeaderShape,
    ListShape,
    SeparatedShape,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.model import Layout


def shape(layout: Layout) -> Shape:
    """Return the reader of a table with this layout."""
    kinds: dict[str, type[Shape]] = {
        "header": HeaderShape,
        "list": ListShape,
        "histogram": HistogramShape,
        "json": JsonShape,
        "global": GlobalShape,
        "separated": SeparatedShape,
        "pairs": PairsShape,
        "rate": RateShape,
        "stacks": StacksShape,
    }
    return kinds[layout.kind](layout)
