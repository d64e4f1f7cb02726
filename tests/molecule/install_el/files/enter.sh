#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run Python where what is written to /usr, /etc and /var goes into directories beside this file, and nobody else sees it.
folder=$(dirname -- "$0")
export folder
# shellcheck disable=SC2016  # for the inner shell
exec unshare --mount sh -ec '
    for part in usr etc var; do
        mkdir -p "$folder/root/$part" "$folder/work/$part"
        mount -t overlay overlay -o "lowerdir=/$part,upperdir=$folder/root/$part,workdir=$folder/work/$part" "/$part"
    done
    exec /usr/bin/python3 "$@"
' sh "$@"
