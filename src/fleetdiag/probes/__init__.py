# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetdiag probes`: see what can be asked, and write probes of one's own."""
