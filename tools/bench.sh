#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every benchmark, one after the other; all of them run, one that misses a goal decides the exit status.
set -u
cd "$(dirname -- "$0")/.." || exit 2

missed=''
for file in tests/bench/bench_*.py; do
    name=$(basename "$file" .py)
    printf '%s\n' "== ${name#bench_}"
    .venv/bin/python "$file" || missed="$missed ${name#bench_}"
done

if [ -n "$missed" ]; then
    echo "missed a goal, or could not run:$missed" >&2
    exit 1
fi
