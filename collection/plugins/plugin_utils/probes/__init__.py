# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of probes: from a folder with `probe.yml` and a script to a typed `Probe`.

In: folders of probes, texts of scripts, values of parameters. Out: `Probe`, `Table`, refusals with file and line.
"""
