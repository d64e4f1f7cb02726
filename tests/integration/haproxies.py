# SPDX-License-Identifier: GPL-3.0-or-later
"""What the configurations of HAProxy in these tests have in common."""

from __future__ import annotations

SITE = """\
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
frontend site
    bind unix@{folder}/site.sock
    default_backend web
backend web
    balance roundrobin
"""
"""A site whose pages come from the backend `web`; its servers follow."""
