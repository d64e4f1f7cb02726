# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab: real kernels in emulated machines and a builder beside them, on this one machine."""
