# SPDX-License-Identifier: GPL-3.0-or-later
"""One file for each check; `look(case)` yields its lines and raises only what nobody can put right."""
