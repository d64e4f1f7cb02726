#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Usage: tools/packages.sh PACKAGE...   Make sure these Debian packages are installed.
#
# Does nothing when all are there; installs the missing ones when run by root; otherwise names them in one sentence.
set -eu

missing=''
for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "fleetdiag needs the programs of these Debian packages, and this machine has no apt-get: install them by hand:$missing" >&2
    exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "fleetdiag needs packages that are not installed: run 'sudo apt-get install$missing' and try again." >&2
    exit 2
fi

echo "Installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # a list of words on purpose
if ! { apt-get -q -y --no-install-recommends install $missing \
    || { apt-get -q -y update && apt-get -q -y --no-install-recommends install $missing; }; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "fleetdiag could not install these packages (apt-get's last words are above):$missing" >&2
    exit 2
fi
