#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run Python in the root beside this file, in which Ansible's directory and this one are where they are outside.
folder=$(dirname -- "$0")
export folder
# shellcheck disable=SC2016  # for the inner shell
exec unshare --mount sh -ec '
    mount -t proc proc "$folder/root/proc"
    mount --rbind /dev "$folder/root/dev"
    for shared in "$HOME/.ansible" "$folder"; do
        mkdir -p "$folder/root/$shared"
        mount --bind "$shared" "$folder/root/$shared"
    done
    exec chroot "$folder/root" /usr/bin/python3 "$@"
' sh "$@"
