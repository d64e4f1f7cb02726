# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests of the core import the helpers beside them (`rundirs`)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
