# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m fleetdiag.lab ...`: the lab without the rest of the command."""

from __future__ import annotations

import argparse
import sys

from fleetdiag.cli import lab

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m fleetdiag.lab")
    sys.exit(lab.run(lab.add_commands(parser).parse_args()))
