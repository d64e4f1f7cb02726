# SPDX-License-Identifier: GPL-3.0-or-later
"""One module per format; each has `render(report) -> str`, a pure function of the Report."""
