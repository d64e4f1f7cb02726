# SPDX-License-Identifier: GPL-3.0-or-later
# What staprun changes and never undoes.

SYSCTLS="debug/kprobes-optimization:0 kernel/kptr_restrict:1"

# `read` asks for one byte at a time, and a number of /proc/sys has no second one; none of these needs more.
digit() { digit='' && { read -r digit <"$1" || [ -n "$digit" ]; } 2>/dev/null; } # FILE; into $digit

save_sysctls() {
    for entry in $SYSCTLS; do
        file=${entry%:*}
        saved="$SWEEPS/$1/sysctl.${file##*/}"
        [ -s "$saved" ] || { ! digit "/proc/sys/$file" || say "$digit" >"$saved"; } || die "cannot write $SWEEPS: no room?"
    done
}

restore_sysctls() { # only where the value is still the one staprun sets: an administrator's own change stays
    for entry in $SYSCTLS; do
        file=${entry%:*} theirs=${entry#*:}
        saved="$SWEEPS/$1/sysctl.${file##*/}"
        [ -s "$saved" ] || continue
        read -r before <"$saved"
        ! digit "/proc/sys/$file" || [ "$digit" != "$theirs" ] || say "$before" >"/proc/sys/$file"
        true 2>/dev/null >"$saved" # that is done
    done
}
