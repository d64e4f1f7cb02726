# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exit codes of commands mean."""

EXIT_OK = 0
EXIT_NOT_STARTED = 2
EXIT_INCOMPLETE = 3
EXIT_FOUND = 4
EXIT_INTERRUPTED = 130
