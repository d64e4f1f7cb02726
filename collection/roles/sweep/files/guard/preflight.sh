# SPDX-License-Identifier: GPL-3.0-or-later
# Says what this host can do, and removes what nobody came back for.

build_id() { # GNU build-id of the running kernel: the notes end with the owner "GNU\0" and 20 bytes
    od -An -v -tx1 /sys/kernel/notes 2>/dev/null | tr -d ' \n' \
        | sed -n 's/.*040000001400000003000000474e5500\([0-9a-f]\{40\}\).*/\1/p'
}

staprun_version() { # into a pipe, `staprun -V` leaves before it has written its buffer; stdbuf takes the buffer away
    stdbuf -o0 staprun -V 2>&1 | sed -n 's/.*(version \([0-9][0-9.]*\).*/\1/p' | head -n 1
}

free_mb() { # into $mb, as below
    mb=$(df -Pm "$HOME_DIR") && read -r _ _ _ mb _ <<DF
${mb#*"$NL"}
DF
}
mem_available_mb() {
    while read -r name mb _ && [ "$name" != MemAvailable: ]; do mb=''; done </proc/meminfo
    mb=$((${mb:-0} / 1024))
}
first_word_in_brackets() { sed -n 's/.*\[\([a-z]*\)\].*/\1/p' "$1" 2>/dev/null; }

# What a controller that died never came back for, and, beyond some room, the oldest that is an hour old.
remove_old_spools() {
    set -- "$SWEEPS"/*
    [ "$*" != "$SWEEPS/${id:-}" ] || return 0 # nothing but our own
    find "$SWEEPS" -mindepth 1 -maxdepth 1 -mtime +$KEEP_SPOOL_DAYS -exec rm -rf {} +
    holder=''
    { read -r holder _ <"$LOCK"; } 2>/dev/null
    total=0
    find "$SWEEPS" -mindepth 1 -maxdepth 1 -mmin +60 ! -name "${holder:-none}" -exec du -sm {} + | sort -rk 2 \
        | while read -r spool_mb spool; do
            total=$((total + spool_mb))
            [ $total -le $KEEP_SPOOL_MB ] || rm -rf "$spool"
        done
}

preflight() {
    { mkdir -p "$SWEEPS" "$MODULES" && install_rules; } || die "cannot write $HOME_DIR: free space or remount it writable"
    note_crashes # which needs the spools
    remove_old_spools
    find "$HOME_DIR/guard" -type f -mtime +$KEEP_GUARD_DAYS -exec rm -f {} + # of other versions and controllers
    # shellcheck disable=SC1091
    distribution=$(
        . /etc/os-release 2>/dev/null
        say "${ID:-unknown} ${VERSION_ID:-${VERSION_CODENAME:-}}"
    )
    say "uid=$(id -u)"
    say "kernel=$(uname -r)"
    say "arch=$(uname -m)"
    say "addresses=$(ip -o address show scope global 2>/dev/null | sed 's/.* inet6* \([^ /]*\).*/\1/' | tr '\n' ' ' | clean)"
    say "kernel_build_id=$(build_id)"
    if [ -r /sys/kernel/btf/vmlinux ]; then say btf=yes; else say btf=no; fi
    say "distribution=$(say "$distribution" | clean)"
    say "staprun=$(staprun_version)"
    say "boot_id=$(cat /proc/sys/kernel/random/boot_id)"
    free_mb && say "free_mb=$mb"
    mem_available_mb && say "mem_available_mb=$mb"
    say "load1=$(cut -d' ' -f1 /proc/loadavg)"
    say "cpus=$(getconf _NPROCESSORS_ONLN)"
    say "lockdown=$(first_word_in_brackets /sys/kernel/security/lockdown)"
    say "sig_enforce=$(cat /sys/module/module/parameters/sig_enforce 2>/dev/null)"
    say "modules_disabled=$(cat /proc/sys/kernel/modules_disabled 2>/dev/null)"
    say "fips=$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)"
    say "container=$(systemd-detect-virt -c 2>/dev/null | sed '/^none$/d')"
    say "systemd=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
    say "init=$(cat /proc/1/comm)"
    crashes=''
    read_crashes
    printf 'crashed='
    while read -r probe sweep; do [ -z "$probe" ] || printf '%s' "$probe:$sweep "; done <<CRASHES
$crashes
CRASHES
    echo
    say "modules_held=$(cd "$MODULES" && find . -name '*.ko' | sed 's|^\./||; s|\.ko$||' | tr '\n' ' ')"
}
