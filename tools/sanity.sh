#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `ansible-test sanity` on what is shipped: the collection is built, installed below build/sanity, and tested there.
# Arguments are those of ansible-test: --docker default, --venv, --local, names of tests.
set -eu
cd "$(dirname -- "$0")/.."
PATH=$PWD/.venv/bin:$PATH
unset PYTHONPATH ANSIBLE_COLLECTIONS_PATH || :
out=$PWD/build/sanity
rm -rf "$out"
mkdir -p "$out"
ansible-galaxy collection build --force --output-path "$out" collection
cd "$out"
ansible-galaxy collection install --force --offline -p "$out" "$out"/*.tar.gz
cd ansible_collections/fleetdiag/systemtap
printf 'tests/output/\n' >.gitignore
git init --quiet . # ansible-test looks at what git knows of
git add --all
exec ansible-test sanity "$@"
