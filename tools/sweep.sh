#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `make sweep` as one `fleetdiag sweep`: INVENTORY, LIMIT, PROBES and WINDOW come from the environment.
set -euf

if [ -z "${INVENTORY:-}" ]; then
    echo "make sweep: name your inventory, for example: make sweep INVENTORY=hosts.yml LIMIT=web" >&2
    exit 2
fi
set -- --inventory "$INVENTORY" --window "$WINDOW"
if [ -n "${LIMIT:-}" ]; then
    set -- "$@" --limit "$LIMIT"
fi
for probe in $PROBES; do
    set -- "$@" --probe "$probe"
done
exec "$(dirname -- "$0")/../.venv/bin/fleetdiag" sweep "$@"
