# SPDX-License-Identifier: GPL-3.0-or-later
"""Run sweeps and other playbooks: Ansible as a child process, its events, shards of a large fleet, stopping."""
