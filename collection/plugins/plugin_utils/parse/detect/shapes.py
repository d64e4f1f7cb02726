# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form of printed output by its name: who reads its tables, and what that is called.

A new form is a module beside this one, an entry here, and a call of what finds it in `infer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

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


class Kind(NamedTuple):
    """A form of printed output. shape: reads its tables; words: what is said of a table that is read so."""

    shape: type[Shape]
    words: str


KINDS: Mapping[str, Kind] = {
    "header": Kind(HeaderShape, "rows below a line of words"),
    "list": Kind(ListShape, "names with numbers"),
    "histogram": Kind(HistogramShape, "histograms as SystemTap draws them"),
    "json": Kind(JsonShape, "lines of JSON"),
    "global": Kind(GlobalShape, "a variable that SystemTap prints at the end"),
    "separated": Kind(SeparatedShape, "fields between separators"),
    "pairs": Kind(PairsShape, "name=value pairs"),
    "rate": Kind(RateShape, "figures per second"),
    "stacks": Kind(StacksShape, "stacks with their counts"),
}


def shape(layout: Layout) -> Shape:
    """Return the reader of a table with this layout."""
    return KINDS[layout.kind].shape(layout)
