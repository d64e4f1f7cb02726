# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m fleetdiag.lab ...`: the lab without the rest of the command."""

from __future__ import annotations

import argparse
import sys

from fleetdiag.lab import cli

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fleetdiag.lab")
    sys.exit(cli.run(cli.add_commands(parser).parse_args()))
