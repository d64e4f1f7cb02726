# SPDX-License-Identifier: GPL-3.0-or-later
"""From a `Report` to files: one module `as_<format>.py` for each output form, found by being there. See `registry`."""
