# SPDX-License-Identifier: GPL-3.0-or-later
"""The grids of a report, built once: text, Markdown and the static page print them."""
