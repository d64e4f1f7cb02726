# SPDX-License-Identifier: GPL-3.0-or-later
"""A busy machine is no fault of a test: no example of hypothesis has a deadline."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
