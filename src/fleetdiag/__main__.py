# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m fleetdiag`."""

from __future__ import annotations

import sys

from fleetdiag.cli.main import main

sys.exit(main())
