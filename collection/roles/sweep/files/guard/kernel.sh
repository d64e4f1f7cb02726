# SPDX-License-Identifier: GPL-3.0-or-later
# What becomes of the kernel while sessions run, and which probes a host went down with.

note_kernel() { # ID; what it was like before anything was loaded
    [ ! -e "$SWEEPS/$1/kernel" ] || return 0
    read -r up _ </proc/uptime # as dmesg counts
    say "$(cat /proc/sys/kernel/tainted) $booted $up" >"$SWEEPS/$1/kernel"
}

kernel_since() { # ID; lines for the controller: booted again, what the kernel complained of, how it is tainted
    read -r taint boot since 2>/dev/null <"$SWEEPS/$1/kernel" || return 0
    read -r booted </proc/sys/kernel/random/boot_id
    [ "$boot" = "$booted" ] || {
        echo "kernel booted"
        return 0
    }
    # the last line is the number, as nothing that the kernel says is one
    said=$(dmesg 2>/dev/null | grep -hE "^[0-9]+\$|$KERNEL_TROUBLE" - /proc/sys/kernel/tainted)
    now=${said##*"$NL"} said=${said%"$now"}
    [ -z "$said" ] || say "$said" | awk -v since="$since" '/^\[/ && substr($0, 2) + 0 >= since && n < 3 {print; n++}' \
        | while read -r line; do say "kernel said $(say "$line" | clean)"; done
    say "kernel taint $taint $now"
}

# A session that was alive when the host went down may have been the reason: systemd, had it been asked to stop, would
# have noted how the session ended. Its probe is written down, and not loaded here again before somebody says so.
note_crash() { # ID; a line for the controller for each probe that is new to the list
    { read -r _ boot _ <"$SWEEPS/$1/kernel"; } 2>/dev/null || return 0
    read -r booted </proc/sys/kernel/random/boot_id
    [ "$boot" != "$booted" ] || return 0
    sessions_of "$1"
    for probe in $sessions; do
        [ ! -e "$SWEEPS/$1/$probe/result" ] || continue
        say "$probe $1" 2>/dev/null >>"$CRASHES"
        say "crashed 0 0" 2>/dev/null >"$SWEEPS/$1/$probe/result"
        say "crashed $probe"
    done
}

note_crashes() {
    for dir in "$SWEEPS"/*/; do
        dir=${dir%/}
        note_crash "${dir##*/}"
    done >/dev/null
}

read_crashes() { # into $crashes: "PROBE ID" lines, behind those that the controller knows
    [ ! -s "$CRASHES" ] || while read -r probe sweep; do
        ! { is_probe "$probe" && is_id "$sweep"; } || crashes="$crashes$probe $sweep$NL"
    done <"$CRASHES"
}

crashed_with() { # PROBE; into $sweep that in which this host went down with it
    while read -r probe sweep; do [ "$probe" != "$1" ] || return 0; done <<CRASHES
$crashes
CRASHES
    return 1
}

retry_crashed() { # PROBE ...; somebody has said that they may be loaded again
    [ -s "$CRASHES" ] || return 0
    while read -r probe sweep; do
        has_word "$*" "$probe" || say "$probe $sweep"
    done <"$CRASHES" >"$CRASHES.new" && mv "$CRASHES.new" "$CRASHES"
}
