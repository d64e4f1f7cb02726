# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared rules that know nothing of probes or sweeps.

Errors, text, quantities, patterns, versions, YAML with line numbers, and the one door for untrusted input.
"""
