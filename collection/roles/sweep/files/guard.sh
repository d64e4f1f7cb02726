#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The one program fleetdiag runs on a probed host: it arms sessions, ends them, unloads their modules and hands
# their output back. POSIX shell, systemd and staprun are all it needs, so no Python starts on a machine in trouble.
#
#   guard.sh preflight               what this host can do, as key=value lines
#   guard.sh put SHA256              keep a compiled module (gzip on stdin) if its checksum is right
#   guard.sh arm                     start the sessions of a plan (stdin), whose modules may follow in it; a plan
#                                    without a window is answered when they are armed, one with it at once
#   guard.sh go ID START END         give every armed session its window (epoch ms of this host's clock)
#   guard.sh collect ID              end the sessions, unload, print results and output (base64 of gzip)
#   guard.sh stop ID | reap ID       end and unload everything of a sweep; safe to repeat
#   guard.sh abort                   end and unload everything of every sweep; safe to repeat
#   guard.sh forget ID               remove the spool of a collected sweep
#   guard.sh unload ID PROBE         ExecStopPost= of a session: note the result, unload its module
#   guard.sh nonce ID PROBE          give a session of a signed module its nonce, as soon as it is loaded
#   guard.sh json ID PROBE           keep what a session serves as data.json, until it ends
#   guard.sh redact                  a filter: text without secrets, as everything a session printed passes it
#
# A session ends by three layers that do not need each other: the module's own time limit (fd_ttl_ms), the unit's
# RuntimeMaxSec= with ExecStopPost=, and a timer that calls `reap`. Answers are plain lines; what the host's programs
# say is passed through `clean`, so that a process name can neither break a line nor a terminal.

set -u
umask 077
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset SYSTEMTAP_STAPRUN SYSTEMTAP_RUNTIME LD_PRELOAD LD_LIBRARY_PATH TMPDIR GZIP POSIXLY_CORRECT

HOME_DIR=/var/lib/fleetdiag
SWEEPS=$HOME_DIR/sweeps
MODULES=$HOME_DIR/modules
LOCK=/run/fleetdiag.lock
CRASHES=$HOME_DIR/crashes
UNITS=/run/systemd/system
PLACEHOLDER=00000000_000000_0000
NONCE_PLACEHOLDER=nonce_of_session
KEEP_MODULES=64
KEEP_SPOOL_DAYS=7
KEEP_SPOOL_MB=4096
KEEP_GUARD_DAYS=30
SELF=$0
RULES=${SELF%.sh}.sed
WORDS=${SELF%.sh}.words
SIGNERS=${SELF%.sh}.signers
SUMS=${SELF%.sh}.sums
LONGEST_LINE=65537
NL='
'
# What the kernel says of itself. Any user's process can have a name of 15 characters at the beginning of a line
# (`BUG: Bad page[42]: segfault at 0`), so each of these goes on behind that many with what no name is followed by.
KERNEL_TROUBLE="^[[] *[0-9]+[.][0-9]+[]]([[] *[TC][0-9]+[]])? ((NMI )?watchdog: )?(\
BUG: (kernel NULL pointer |unable to handle |soft lockup - |workqueue lockup|scheduling while atomic|sleeping function called)|\
BUG: (Bad page (state|map|cache) in |Bad rss-counter state |non-zero pgtables|([A-Za-z0-9#-]+ )?stack guard page was hit)|\
BUG: ((spin|rw)lock (bad magic|lockup|recursion|wrong |already |cpu )|using (smp_processor_id|__this_cpu))|\
BUG: K[A-Z]+: [a-z -]+ in [a-z_]|kernel BUG at [^ ]+:[0-9]+!\$|Internal error: [A-Z]|Unable to handle kernel |\
(Oops: )?(Oops|invalid opcode|divide error|stack segment|double fault): [0-9a-f]{4} [[]#[0-9]+[]]( [A-Z]|\$)|\
(Oops: )?general protection fault, |Watchdog detected hard LOCKUP|\
WARNING: (CPU: [0-9]+ (UID: [0-9]+ )?PID: [0-9]+ at |([a-zA-Z0-9_/.-]+:[0-9]+ )?at [^ ]+[+]0x[0-9a-f]+/0x)|\
WARNING: (possible (circular|recursive|irq) |suspicious RCU |inconsistent lock |bad unlock balance)|\
(rcu: )?INFO: rcu_[a-z_]+ (self-)?detected |INFO: task .*:[0-9]+ blocked for more than [0-9]+ seconds)"

clean() { redact 2>/dev/null | tr '\n\t' '  ' | tr -cd '\040-\176' | cut -c1-2000; }
# Whatever is no constant is said by this: the `echo` of dash makes lines of a `\n` that stands in a process name.
say() { printf '%s\n' "$*"; }
die() {
    say "error=$*"
    exit 1
}
uptime_s() { read -r up _ </proc/uptime && up=${up%.*}; } # into $up
# Every program that is started here costs a busy host time, and a big fleet much of it: words are looked at by the shell,
# and what a function finds out is in a variable (said, why, ...) where `$(...)` would start one more shell.
digits='[0-9][0-9]'
is_id() {
    # shellcheck disable=SC2254  # patterns
    case $1 in $digits$digits$digits${digits}_$digits$digits${digits}_[0-9a-f][0-9a-f][0-9a-f][0-9a-f]) ;; *) return 1 ;; esac
}
is_probe() { case $1 in '' | [!a-z]* | *[!a-z0-9_]*) return 1 ;; esac }
is_number() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    [ ${#1} -le 15 ]
}
is_nonce() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} -eq ${#NONCE_PLACEHOLDER} ]
}
is_sha() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} -eq 64 ]
}
is_loaded() { [ -d "/sys/module/$1" ]; }
has_line() { case "$NL$1$NL" in *"$NL$2$NL"*) ;; *) return 1 ;; esac } # TEXT LINE
has_word() { case " $1 " in *" $2 "*) ;; *) return 1 ;; esac }         # TEXT WORD
# A signed module cannot be renamed without losing its signature: it keeps the placeholder it was compiled with.
# ID PROBE; into $module
module_of() { if [ -e "$SWEEPS/$1/signed.$2" ]; then module=fd_${PLACEHOLDER}_$2; else module=fd_$1_$2; fi; }
# came or left: what the controller compares with its own
clock() { date "+$1=%s.%N"; }
sessions_of() { # ID; into $sessions
    sessions=''
    for dir in "$SWEEPS/$1"/*/; do
        dir=${dir%/}
        [ ! -d "$dir" ] || sessions="$sessions ${dir##*/}"
    done
}

# ---------------------------------------------------------------- secrets

install_rules() { # what stands behind this program in the one file that was sent: whose manifests count, and redact.sed
    sed '1,/^#signers$/d; /^#redact\.sed$/,$d' "$SELF" >"$SIGNERS.$$" && mv "$SIGNERS.$$" "$SIGNERS" \
        && sed '1,/^#redact\.sed$/d' "$SELF" >"$RULES.$$" && mv "$RULES.$$" "$RULES" \
        && sed -n '/^\/.*\/I!b$/{s/^\///; s/\/I!b$//; s/\\\//\//g; p; q}' "$RULES" >"$WORDS.$$" && mv "$WORDS.$$" "$WORDS" \
        && sha256sum "$SELF" "$RULES" "$WORDS" "$SIGNERS" >"$SUMS.$$" && mv "$SUMS.$$" "$SUMS"
}

# A power cut may leave any of these empty or half, their checksums too: then the last line of these is not there.
is_whole() { said=$(sha256sum -c "$SUMS" 2>/dev/null) && has_line "$said" "$SIGNERS: OK"; }

redact() { # a filter; one "r" on standard error for each line it changed. Without its rules nothing passes.
    [ -s "$RULES" ] && nice -n 10 sed -E -f "$RULES"
}

# Takes the secrets out of what sessions printed; the current directory is that of their sweep. Where none of the words
# stands without which no rule changes a line, there is nothing to do, and mostly that is so.
without_secrets() { # PROBE ...
    [ -s "$RULES" ] && [ -s "$WORDS" ] || die "$RULES is gone, without which nothing may leave this host: sweep again"
    small='' suspects=''
    for probe; do
        for file in "$probe/out" "$probe/err"; do
            size_of "$file"
            [ "$size" -eq 0 ] || [ "$size" -ge "$LONGEST_LINE" ] || small="$small $file"
        done
    done
    # shellcheck disable=SC2086  # names of files without spaces
    [ -z "$small" ] || suspects=$(grep -liE -f "$WORDS" -- $small) || [ $? -eq 1 ] || suspects=$(printf '%s\n' $small)
    for probe; do
        [ -e "$probe/redacted" ] || redact_session "$probe" || {
            rm -f "$probe"/*.new
            piped="$piped $probe"
        } 2>/dev/null
    done
}

# Where there is no room to write down what may leave, it goes through a pipe, as often as it is needed.
piped_out() { # FILE; "unreadable" on standard error if that is not all of it
    { cut -b "1-$LONGEST_LINE" "$1" || echo unreadable >&2; } \
        | if [ -e unredacted ]; then cat; else redact || echo unreadable >&2; fi \
        | if [ "$(
            tail -c 1 "$1"
            echo .
        )" = "$NL." ]; then cat; else head -c -1; fi
}

# Longer lines than anybody reads are cut, so that each fits into memory; `cut` ends the last line where the session did
# not, and that must not make half a record a whole one.
redact_session() { # PROBE
    true 2>/dev/null >"$1/changed" || return 1
    for file in "$1/out" "$1/err"; do
        [ -f "$file" ] || return 1
        size_of "$file"
        if [ "$size" -ge "$LONGEST_LINE" ]; then
            cut -b "1-$LONGEST_LINE" "$file" | redact >"$file.new" 2>>"$1/changed" || return 1
            [ "$(
                tail -c 1 "$file"
                echo .
            )" = "$NL." ] || truncate -s -1 "$file.new" || return 1
        elif has_line "$suspects" "$file"; then
            redact <"$file" >"$file.new" 2>>"$1/changed" || return 1
        fi
    done
    size_of "$1/out" && say "$size" >"$1/printed" || return 1
    for file in "$1/out" "$1/err"; do
        [ -e "$file.new" ] || continue
        altered=yes
        mv "$file.new" "$file" || return 1
    done
    if [ -s "$1/changed" ]; then
        grep -c '^r$' "$1/changed" >"$1/redacted" || [ -s "$1/redacted" ]
    else
        echo 0 >"$1/redacted"
    fi
}

size_of() { # FILE, as `wc -c` has said it in $sizes; into $size
    size=${sizes%% "$1"*}
    size=${size##*[!0-9]}
}

# ---------------------------------------------------------------- preflight

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

# ---------------------------------------------------------------- modules

put() {
    keep_module "$1"
    echo "put=ok"
}

keep_module() { # SHA256; the module comes on standard input
    is_sha "$1" || die "put: '$1' is not a SHA-256"
    mkdir -p "$MODULES"
    new=$(mktemp "$MODULES/.new.XXXXXX") || die "cannot write $MODULES"
    trap 'rm -f "$new"' EXIT
    # dash runs no EXIT trap for a signal that it does not trap
    trap 'exit 1' HUP INT TERM
    find "$MODULES" -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -f {} + # of a transfer that was killed
    gzip -dc >"$new" 2>/dev/null || die "module $1 did not arrive whole, or $MODULES has no room"
    sum=$(sha256sum <"$new") && [ "${sum%% *}" = "$1" ] || die "module $1 has another checksum after the transfer: send it again"
    mv "$new" "$MODULES/$1.ko"
    # those that were used longest ago make room, so that a long-lived host does not collect every probe it ever ran
    # shellcheck disable=SC2012
    ls -1t "$MODULES" | sed -n "$((KEEP_MODULES + 1)),\$p" | while read -r old; do rm -f "${MODULES:?}/$old"; done
}

me=''
who_am_i() { # into $me
    while [ -z "$me" ] && read -r key _ me _; do [ "$key" = Uid: ] || me=''; done </proc/self/status
}

# Whoever can write where modules lie, or above, can have the kernel run what he likes. Above, a directory in which
# everybody owns only what is his (sticky, as /tmp) is good enough.
no_trust_in_place() { # true if there is none; $why says so
    who_am_i
    places=''
    for place in "$HOME_DIR" "$MODULES" "$SWEEPS" "${SELF%/*}"; do
        [ "$place" != "$SWEEPS" ] || [ -e "$place" ] || [ -L "$place" ] || continue # it is made by whoever needs it
        places="$places $place"
        why="$place is no directory that root alone can write"
        [ -d "$place" ] && [ ! -L "$place" ] || return 0
    done
    place=$HOME_DIR above=/.
    while place=${place%/*} && [ -n "$place" ]; do above="$above $place/."; done
    # shellcheck disable=SC2086  # HOME_DIR has no spaces
    bad=$(find $places $above -prune \( ! \( -user 0 -o -user "$me" \) -o -perm -020 -o -perm -002 \) \
        ! \( -path '*/.' -perm -1000 \) -print) || bad=${bad:-/.}
    bad=${bad%%"$NL"*}
    case $bad in
        '') return 1 ;;
        */.) bad=${bad%/.} why="${bad:-/}, above the modules, can be written by others than root" ;;
        *) why="$bad is no directory that root alone can write" ;;
    esac
}

# FILE, which is none that root alone can write; why not goes into $why
what_is_wrong() {
    if [ -L "$1" ] || [ ! -f "$1" ]; then
        why="is no regular file but $(file_kind "$1")"
    elif [ -n "$(find "$1" -prune ! -user "$me")" ]; then
        why="belongs to another user"
    else
        why="can be written by others than root"
    fi
}

file_kind() { if [ -L "$1" ]; then echo "a link"; elif [ -d "$1" ]; then echo "a directory"; else echo "something else"; fi; }

# ssh-keygen can tell who signed a text since OpenSSH 8.2.
can_verify() { case $(ssh-keygen -Y verify 2>&1) in *namespace*) ;; *) return 1 ;; esac }

# What this sweep may load: "SHA256 PROBE" lines. The text came over ssh from the controller; that it is also signed by
# the key that came with this program is asked of ssh-keygen where there is one.
check_manifest() { # $manifest and $signature, as they came
    verified=unverified
    has_line "$manifest" "sweep $id" || die "the manifest of the modules is not one of sweep $id: sweep again"
    if ssh-keygen -q -Y verify -f "$SIGNERS" -I fleetdiag -n fleetdiag-modules -s /dev/fd/3 >/dev/null 2>&1 3<<SIGNATURE <<MANIFEST
$signature
SIGNATURE
$manifest
MANIFEST
    then
        verified=verified
    else
        ! can_verify || verified=no
    fi
    [ "$verified" != no ] \
        || die "the manifest of the modules is not signed by the key of this controller: nothing is loaded; sweep again"
    say "manifest=$verified"
}

# The cached module is compiled under a placeholder id; the id of this sweep takes its place, byte for byte as long,
# so that module, unit and spool of a session carry the same name and the cache is never built twice. So does the nonce
# of the session, which must stand on no command line, where everybody can read it.
# What is looked at is a copy that nobody else can reach, so that it is also what is loaded.
name_modules() { # PROBE:SHA256 ...; those to load go into $named, "PROBE WHY" lines of the others into $refused
    named='' refused='' answering='' copies="$SWEEPS/$id/.modules/copies" files='' good=''
    for word; do files="$files $MODULES/${word#*:}.ko"; done
    who_am_i
    # shellcheck disable=SC2086  # names of files without spaces, here and below
    bad=$(find $files -prune \( ! -type f -o ! -user "$me" -o -perm -020 -o -perm -002 \) -print 2>/dev/null) || {
        for word; do refuse "${word%:*}" "its module cannot be looked at: sweep again"; done
        return 0
    }
    files=''
    for word; do
        probe=${word%:*} sha=${word#*:}
        kept="$MODULES/$sha.ko"
        if has_line "$bad" "$kept" || [ ! -f "$kept" ]; then
            what_is_wrong "$kept"
            rm -rf "${MODULES:?}/$sha.ko"
            refuse "$probe" "$kept $why: removed"
        elif ! has_line "$manifest" "$sha $probe"; then
            refuse "$probe" "module $sha is not in the manifest that the controller signed"
        else
            good="$good $word" files="$files $kept"
        fi
    done
    [ -n "$good" ] || return 0
    room=yes
    # shellcheck disable=SC2086
    cp $files "$copies" 2>/dev/null || room=no
    sums=$(cd "$copies" && sha256sum -- *.ko 2>/dev/null)
    marks=$(cd "$copies" && grep -aoHE 'data\.json|~Module signature appended~$|vermagic=[!-~]+' -- *.ko 2>/dev/null)
    read -r release </proc/sys/kernel/osrelease
    # shellcheck disable=SC2086
    touch -c $files "$SELF" "$RULES" "$WORDS" "$SIGNERS" "$SUMS" 2>/dev/null # what is used is not old
    for word in $good; do
        name_module "${word%:*}" "${word#*:}" || continue
        named="$named $word"
        ! has_line "$marks" "${word#*:}.ko:data.json" || answering="$answering ${word%:*}"
    done
    rm -f "$copies"/*.ko
}

refuse() { refused="$refused$1 $2$NL"; } # PROBE WHY

nonce_of() { # PROBE; into $nonce
    nonce=${nonces#*" $1="}
    nonce=${nonce%% *}
    is_nonce "$nonce" || nonce=$NONCE_PLACEHOLDER # a module that asks for none
}

path_of() { module_of "$id" "$1" && path="$SWEEPS/$id/.modules/$module.ko"; } # PROBE; into $path

name_module() { # PROBE SHA256
    copy="$copies/$2.ko"
    if ! has_line "$sums" "$2  $2.ko"; then
        [ $room = yes ] || {
            refuse "$1" "no room for the module"
            return 1
        }
        rm -f "${MODULES:?}/$2.ko"
        refuse "$1" "the module on the host is damaged: not what its checksum says; removed"
        return 1
    fi
    compiled_for=${marks##*"$2.ko:vermagic="}
    if [ "$compiled_for" != "$marks" ] && [ "${compiled_for%%"$NL"*}" != "$release" ]; then
        refuse "$1" "its module is compiled for kernel ${compiled_for%%"$NL"*}, and $release runs here: sweep again"
        return 1
    fi
    if has_line "$marks" "$2.ko:~Module signature appended~"; then
        true 2>/dev/null >"$SWEEPS/$id/signed.$1" && path_of "$1" && mv "$copy" "$path"
    else
        path_of "$1"
        nonce_of "$1"
        sed -f /dev/fd/3 "$copy" >"$path" 2>/dev/null 3<<NAMES
s/fd_${PLACEHOLDER}_/fd_${id}_/g
s/$NONCE_PLACEHOLDER/$nonce/g
NAMES
    fi || {
        refuse "$1" "no room for the module"
        return 1
    }
}

# ---------------------------------------------------------------- what staprun changes and never undoes

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

# ---------------------------------------------------------------- what becomes of the kernel

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

# ---------------------------------------------------------------- one sweep at a time

# The lock names the sweep and who runs it. A sweep holds the host for as long as the timer that ends it is set, which
# is before its first session and after its last.
other_sweep() { # ID; which other sweep holds this host, and whose it is, in $busy
    { read -r holder who <"$LOCK"; } 2>/dev/null || return 1
    [ "$holder" != "$1" ] && is_id "$holder" || return 1
    if ! systemctl -q is-active "fd-$holder-reap.timer"; then
        sessions_of "$holder"
        for probe in $sessions; do
            module_of "$holder" "$probe"
            is_loaded "$module" && break
            probe=
        done
        [ -n "${probe:-}" ] || return 1
    fi
    busy="sweep $holder${who:+ of $who} runs on this host"
}

take_host() { # two sweeps that come at the same moment must not both find it free
    [ -r "$SWEEPS" ] || die "cannot read $SWEEPS"
    exec 9<"$SWEEPS"
    flock -w 20 9 || die "another sweep is just taking this host: sweep again"
    if other_sweep "$id"; then
        echo "verdict=busy"
        say "reason=$busy"
        return 1
    fi
    fresh=yes
    [ ! -d "$SWEEPS/$id" ] || fresh=no
    # shellcheck disable=SC2086  # names of directories without spaces
    mkdir -p "$SWEEPS/$id/.modules/copies" $dirs || die "cannot write $SWEEPS: no room?"
    say "$id $by" >"$LOCK"
    if [ "$fresh" = yes ] || ! systemctl -q is-active "fd-$id-reap.timer"; then
        systemd-run --quiet --unit="fd-$id-reap" --on-active=$((ttl + 60)) --on-unit-active=300 --timer-property=AccuracySec=5s \
            /bin/sh "$SELF" reap "$id" || die "cannot arm the timer that cleans up: is systemd running?"
    fi
    exec 9>&-
}

# ---------------------------------------------------------------- arm

smoke() { # SHA256: a trivial module must load and print before anything else is tried on this host
    said="$SWEEPS/$id/.smoke"
    name_modules "smoke:$1"
    [ -n "$named" ] || {
        say "${refused#smoke }"
        return 1
    }
    path_of smoke
    timeout -k 5 60 env -i PATH="$PATH" LC_ALL=C staprun "$path" >"$said.out" 2>"$said.err"
    ! is_loaded "$module" || staprun -d "$module" 2>/dev/null
    grep -q '^fleetdiag-smoke-ok' "$said.out" && return
    (
        cat "$said.err"
        dmesg 2>/dev/null | tail -n 3
    ) | clean
    return 1
}

# Writes down how a session is started: its unit, and beside its output the words of its command, in which systemd would
# read `%` and `$`. The unit goes into $units, so that one request starts all of them.
prepare_session() { # PROBE OUTPUT_MB [name=value ...]
    probe=$1 output_mb=$2
    shift 2
    for value; do
        shift
        [ "${value%%=*}" = fd_nonce ] || set -- "$@" "$value"
    done
    dir="$SWEEPS/$id/$probe"
    path_of "$probe"
    # room for how it ends, which a full disk must not take
    {
        say "$output_mb" >"$dir/limit" && say "                                                  " >"$dir/ends" \
            && say "${staprun:-staprun} -b 4 $path $window $*" >"$dir/command"
    } 2>/dev/null || {
        say "session $probe failed 0 no room in $dir"
        return 1
    }
    unit_of_session 2>/dev/null >"$UNITS/fd-$id-$probe.service" || {
        say "session $probe failed 0 cannot write $UNITS: no room?"
        return 1
    }
    units="$units fd-$id-$probe.service"
}

unit_of_session() {
    say "[Unit]
Description=fleetdiag probe $probe of sweep $id
CollectMode=inactive-or-failed
[Service]
ExecStart=/bin/sh -c 'set -f; read -r words <$dir/command; exec \$\$words'
ExecStopPost=/bin/sh $SELF unload $id $probe
RuntimeMaxSec=$((ttl + 15))
TimeoutStopSec=60
KillMode=mixed
Restart=no
CPUWeight=20
IOWeight=20
CPUQuota=100%
MemoryMax=256M
TasksMax=32
LimitCORE=0
LimitFSIZE=${output_mb}M
UMask=0077
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=$HOME_DIR
StandardInput=null
StandardOutput=file:$dir/out
StandardError=file:$dir/err"
}

# Starts what was prepared; what systemd started is in $waiting. Where it refuses one, each is asked for alone, so that one
# is said to have failed and no other.
start_sessions() {
    refuses=''
    # shellcheck disable=SC2086  # names of units are words
    if [ -e "$SWEEPS/$id/aborted" ]; then
        refuses=all
    elif ! systemctl -q --no-block start $units 2>/dev/null; then
        refuses=one
    fi
    for unit in $units; do
        probe=${unit#"fd-$id-"} probe=${probe%.service}
        dir="$SWEEPS/$id/$probe"
        if [ "$refuses" = all ]; then
            say "session $probe failed 0 the sweep was aborted"
        elif [ "$refuses" = one ] && [ ! -e "$dir/result" ] && ! said=$(systemctl -q --no-block start "$unit" 2>&1); then
            say "session $probe failed 0 $(say "$said" | clean)"
        elif [ ! -e "$SWEEPS/$id/signed.$probe" ] || give_nonce; then
            waiting="$waiting $probe"
            [ -z "$end" ] || ! has_word "$answering" "$probe" || watch_json "$id" "$probe" "$end" 2>"$dir/systemd-run" \
                || say "its answer will be lost: what keeps it did not start: $(clean <"$dir/systemd-run")" >"$dir/unanswered"
        fi
    done
}

# A signed module cannot have its nonce before it is loaded, which may be a while from now.
give_nonce() {
    nonce_of "$probe"
    { say "$nonce" 2>/dev/null >"$dir/nonce" && systemd-run --quiet --no-block --collect --unit="fd-$id-$probe-nonce" \
        -p RuntimeMaxSec=$((ttl + 15)) -p LimitFSIZE=64K -p UMask=0077 /bin/sh "$SELF" nonce "$id" "$probe" 2>"$dir/systemd-run"; } \
        || {
            say "session $probe failed 0 its nonce cannot be given to it: $(clean <"$dir/systemd-run")"
            return 1
        }
}

nonce() { # ID PROBE
    { is_id "$1" && is_probe "$2"; } || die "nonce: not a session: '$1' '$2'"
    dir="$SWEEPS/$1/$2"
    module_of "$1" "$2"
    until [ -e "/proc/systemtap/$module/nonce" ] || [ -e "$dir/result" ]; do sleep 0.2; done
    read -r nonce <"$dir/nonce" && say "$nonce" >"/proc/systemtap/$module/nonce"
}

# Asked again and again while modules load, which is when a slow host has nothing to spare: no program is started for it.
says_armed() { # FILE
    lines=0
    while [ $lines -lt 20 ] && IFS= read -r line; do
        case $line in *'	@armed	'*) return 0 ;; esac
        lines=$((lines + 1))
    done 2>/dev/null <"$1"
    # a script that was not written for us may print a lot before it is armed
    [ $lines -ge 20 ] && head -c 1048576 "$1" | grep -q '	@armed	'
}

# Prints one line for every session of $waiting that became armed or ended; leaves the others in $waiting.
poll_sessions() {
    still=''
    uptime_s
    for probe in $waiting; do
        dir="$SWEEPS/$id/$probe"
        elapsed=$((up - began))
        # one that was not written for us may be at its end already
        if says_armed "$dir/out" || { [ -e "$dir/result" ] && tail -c 400 "$dir/out" | grep -q '	@end	'; }; then
            why=''
            [ ! -e "$dir/unanswered" ] || read -r why <"$dir/unanswered"
            say "session $probe armed $elapsed${why:+ $why}"
        elif [ -e "$dir/result" ]; then
            say "session $probe failed $elapsed $(clean <"$dir/err")"
        else
            still="$still $probe"
        fi
    done
    waiting=$still
}

stale() { # what the controller remembers of this host is not so any more: how it is now, instead of arming
    say "stale=$1"
    preflight
    clock left
}

has_still() { # [FACT NUMBER ...]
    while [ $# -ge 2 ]; do
        case $1 in
            free_mb | mem_available_mb) "$1" ;;
            *) die "arm: '$1' is no fact" ;;
        esac
        [ "${mb:-0}" -ge "$2" ] || {
            stale "$1"
            return 1
        }
        shift 2
    done
}

arm() {
    clock came
    id='' ttl='' arm_timeout='' smoke_sha='' redaction='' manifest='' signature='' plan=''
    by='' boot='' least='' start='' end='' window='' crashes='' retry=''
    while read -r word rest; do
        case $word in
            id) id=$rest ;;
            by) by=$rest ;;
            boot) boot=$rest ;;
            least) least="$least $rest" ;;
            ttl) ttl=$rest ;;
            arm_timeout) arm_timeout=$rest ;;
            smoke) smoke_sha=$rest ;;
            redact) redaction=$rest ;;
            window) start=${rest% *} end=${rest#* } ;;
            crashed) crashes="$crashes$rest$NL" ;;
            retry_crashed) retry=$rest ;;
            manifest) manifest="${manifest:+$manifest$NL}$rest" ;;
            signature) signature="${signature:+$signature$NL}$rest" ;;
            probe) plan="$plan$rest$NL" ;;
            module) head -c "${rest#* }" | keep_module "${rest% *}" || exit 1 ;;
        esac
    done
    is_whole || {
        echo stale=guard
        return 0
    }
    is_id "$id" || die "arm: '$id' is not a sweep id"
    if [ -n "$start$end" ]; then
        { is_number "$start" && is_number "$end"; } || die "arm: not a window: '$start' '$end'"
        window="fd_window_start_ms=$start fd_window_end_ms=$end"
    fi
    # what the controller remembers of this host is true until it is booted again
    read -r booted </proc/sys/kernel/random/boot_id
    [ "${boot:-$booted}" = "$booted" ] || {
        stale boot
        return
    }
    # shellcheck disable=SC2086  # pairs of words
    has_still $least || return 0
    ! no_trust_in_place || die "$why: nothing is loaded from there; take that right away (chmod, chown)"
    missing='' shas=$smoke_sha modules='' dirs='' probes='' nonces=' '
    while read -r probe sha _ values; do
        [ -n "$probe" ] || continue
        is_probe "$probe" || die "arm: '$probe' is not a probe name"
        case $values in fd_nonce=*) values=${values#*=} nonces="$nonces$probe=${values%% *} " ;; esac
        probes="$probes $probe" shas="$shas $sha" modules="$modules $probe:$sha" dirs="$dirs $SWEEPS/$id/$probe"
    done <<PLAN
$plan
PLAN
    for sha in $shas; do
        is_sha "$sha" || die "arm: '$sha' is not a SHA-256"
        [ -e "$MODULES/$sha.ko" ] || missing="$missing $sha"
    done
    [ -z "$missing" ] || {
        say "missing=$missing"
        return
    }
    [ -d "$SWEEPS" ] || mkdir -p "$SWEEPS" || die "cannot write $SWEEPS: no room?"
    check_manifest
    take_host || return 0
    note_crashes
    remove_old_spools
    [ "$redaction" != no ] || true >"$SWEEPS/$id/unredacted" || die "cannot write $SWEEPS: no room?"
    save_sysctls "$id"
    note_kernel "$id"
    if [ "$retry" = yes ]; then
        retry_crashed "$probes"
    else
        read_crashes
    fi
    allowed=''
    for word in $modules; do
        if crashed_with "${word%:*}"; then
            say "session $probe failed 0 this host went down while sweep $sweep probed it with $probe, so it \
is not loaded again; if that was not the reason: --retry-crashed"
        else
            allowed="$allowed $word"
        fi
    done
    modules=$allowed
    # that it is about to be probed must outlive a crash
    [ -z "$modules" ] || sync "$SWEEPS/$id/kernel" 2>/dev/null
    if [ -n "$smoke_sha" ] && [ -n "$modules" ]; then
        said=$(smoke "$smoke_sha") || {
            echo "verdict=refused"
            say "reason=a trivial module does not run here: $said"
            finish "$id"
            rm -rf "${SWEEPS:?}/$id"
            return
        }
        echo "smoke=passed"
    fi
    uptime_s
    began=$up waiting='' named='' refused='' units=''
    # shellcheck disable=SC2086  # words
    [ -z "$modules" ] || name_modules $modules
    while read -r probe why; do
        [ -z "$probe" ] || say "session $probe failed 0 $why"
    done <<REFUSED
$refused
REFUSED
    staprun=$(command -v staprun)
    while read -r probe sha output_mb values; do
        has_word "$named" "$probe:$sha" || continue
        set -f # a value may hold * and is no pattern of names of files here
        # shellcheck disable=SC2086  # the values are words: name=value without spaces
        prepare_session "$probe" "$output_mb" $values
        set +f
    done <<PLAN
$plan
PLAN
    [ -z "$units" ] || start_sessions
    poll_sessions
    while [ -n "$waiting" ] && [ $((up - began)) -lt "$arm_timeout" ]; do
        sleep 0.2
        poll_sessions
    done
    for probe in $waiting; do say "session $probe late $((up - began))"; done
    ours_loaded "$id"
    if [ -z "$waiting" ] && [ -z "$loaded" ]; then # nobody will come back for it: the host is free for the next sweep
        finish "$id" >/dev/null
        ls "$SWEEPS/$id"/*/out >/dev/null 2>&1 || rm -rf "${SWEEPS:?}/$id"
    fi
    echo "verdict=ok"
    clock left
}

go() {
    is_id "$1" || die "go: '$1' is not a sweep id"
    sessions_of "$1"
    for probe in $sessions; do
        module_of "$1" "$probe"
        if say "$2 $3" 2>/dev/null >"/proc/systemtap/$module/window"; then
            say "go $probe ok"
            # one that was armed with a window has its watch, which outlives the earlier end
            [ ! -e "/proc/systemtap/$module/data.json" ] || systemctl -q is-active "fd-$1-$probe-json" \
                || watch_json "$1" "$probe" "$3"
        else
            say "go $probe failed"
        fi
    done
}

# A script may not print but answer: SystemTap's way is a file that is there as long as the session. Its last answer
# is kept, and comes behind what the session printed.
watch_json() { # ID PROBE END
    { read -r mb <"$SWEEPS/$1/$2/limit"; } 2>/dev/null || mb=1
    systemd-run --quiet --collect --unit="fd-$1-$2-json" -p RuntimeMaxSec=$(($3 / 1000 - $(date +%s) + 30)) \
        -p LimitFSIZE="${mb}M" -p CPUWeight=20 -p IOWeight=20 -p MemoryMax=32M -p UMask=0077 /bin/sh "$SELF" json "$1" "$2"
}

json() { # ID PROBE
    { is_id "$1" && is_probe "$2"; } || die "json: not a session: '$1' '$2'"
    dir="$SWEEPS/$1/$2"
    module_of "$1" "$2"
    until [ -e "/proc/systemtap/$module/data.json" ] || [ -e "$dir/result" ]; do sleep 1; done
    while tr -d '\n' <"/proc/systemtap/$module/data.json" 2>/dev/null >"$dir/json.new" \
        && [ -s "$dir/json.new" ]; do
        mv "$dir/json.new" "$dir/json"
        sleep 1
    done
    rm -f "$dir/json.new"
}

append_json() { # DIR; not where the output ends inside a line, which must stay to be seen
    [ -s "$1/json" ] && [ -z "$(tail -c 1 "$1/out")" ] || return 0
    {
        cat "$1/json"
        echo
    } >>"$1/out" && rm -f "$1/json"
}

# ---------------------------------------------------------------- end

unload() { # ID PROBE; as ExecStopPost= it has SERVICE_RESULT and EXIT_STATUS
    { is_id "$1" && is_probe "$2"; } || die "unload: not a session: '$1' '$2'"
    dir="$SWEEPS/$1/$2"
    module_of "$1" "$2"
    cpu=0 # known only to the unit's own last step; whoever else comes here runs in another unit
    [ -z "${SERVICE_RESULT:-}" ] || used_cpu 2>/dev/null
    residue=''
    ! is_ours "$1" "$2" || unload_modules "$module"
    note_result "$dir"
    [ -z "$residue" ]
}

used_cpu() { # by the unit of this process, in microseconds; into $cpu
    while IFS=: read -r number _ group && [ "$number" != 0 ]; do group=''; done </proc/self/cgroup
    while read -r key cpu && [ "$key" != usage_usec ]; do cpu=0; done <"/sys/fs/cgroup$group/cpu.stat"
}

unload_modules() { # MODULE ..., side by side; those that stay are in $residue
    for pause in 1 1 1 1 0; do
        for module; do
            if is_loaded "$module"; then { staprun -d "$module" || rmmod "$module"; } >/dev/null 2>&1 & fi
        done
        wait
        residue=''
        for module; do
            ! is_loaded "$module" || residue="$residue $module"
        done
        [ -n "$residue" ] || return 0
        sleep "$pause"
    done
}

note_result() { # DIR; written over the room that was kept for it, which needs none on the disk
    [ ! -d "$1" ] || [ -s "$1/result" ] \
        || { say "${SERVICE_RESULT:-stopped} ${EXIT_STATUS:-0} ${cpu:-0}" 1<>"$1/ends" && mv "$1/ends" "$1/result"; } 2>/dev/null
}

# Ends and unloads everything of a sweep; the spool stays. Nothing here needs a disk that can be written: what a session
# came to is noted last, and where that fails it is only not noted.
finish() { # ID
    note_crash "$1"
    sessions_of "$1"
    # also where the spool is gone
    ours_loaded "$1"
    for module in $loaded; do
        probe=${module#fd_????????_??????_????_}
        has_word "$sessions" "$probe" || sessions="$sessions $probe"
    done
    units=''
    for probe in $sessions; do
        # a unit that came to its end as it should is gone by itself
        result=''
        { read -r result _ <"$SWEEPS/$1/$probe/result"; } 2>/dev/null
        [ "$result" = success ] || units="$units fd-$1-$probe.service"
        [ ! -e "$SWEEPS/$1/$probe/json" ] || units="$units fd-$1-$probe-json.service"
        [ ! -e "$SWEEPS/$1/$probe/nonce" ] || units="$units fd-$1-$probe-nonce.service"
    done
    if [ -n "$units" ]; then
        # shellcheck disable=SC2086  # names of units are words; one that is not there does not keep the others
        systemctl -q stop $units 2>/dev/null
    fi
    ours_loaded "$1"
    # shellcheck disable=SC2086  # names of modules are words
    unload_modules $loaded
    [ -n "$residue" ] || systemctl -q stop "fd-$1-reap.timer" 2>/dev/null # which comes again for what could not be unloaded
    restore_sysctls "$1"
    free_host "$1"
    for module in $residue; do say "residue $module"; done
    for probe in $sessions; do note_result "$SWEEPS/$1/$probe"; done
    return 0
}

# Under the lock of whoever takes the host, so that it is not the lock of a sweep that came just now which goes. With it go
# the units of its sessions, which have ended.
free_host() { # ID
    {
        gone=''
        [ ! -e "$LOCK" ] || {
            flock -w 20 9
            { read -r holder _ <"$LOCK"; } 2>/dev/null && [ "$holder" = "$1" ] && gone=$LOCK
        }
        for unit in "$UNITS/fd-$1-"*.service; do [ ! -e "$unit" ] || gone="$gone $unit"; done
        # shellcheck disable=SC2086  # names of files without spaces
        [ -z "$gone" ] || rm -f $gone
    } 9<"$SWEEPS"
}

ours_loaded() { # ID; their names into $loaded
    loaded=''
    for place in "/sys/module/fd_$1_"*; do
        [ ! -d "$place" ] || loaded="$loaded ${place##*/}"
    done
    for mark in "$SWEEPS/$1"/signed.*; do
        [ -e "$mark" ] || continue
        module=fd_${PLACEHOLDER}_${mark##*/signed.}
        ! is_ours "$1" "${mark##*/signed.}" || ! is_loaded "$module" || loaded="$loaded $module"
    done
}

# The signed module of a probe has one name in all sweeps: it is of the one that holds the host.
is_ours() { # ID PROBE
    [ -e "$SWEEPS/$1/signed.$2" ] || return 0
    holder=''
    { read -r holder _ <"$LOCK"; } 2>/dev/null
    [ -z "$holder" ] || [ "$holder" = "$1" ] || [ ! -e "$SWEEPS/$holder/signed.$2" ]
}

# Everybody's sweeps, also those whose spool is gone. What was sampled stays on the host and can still be collected.
abort() {
    ids=''
    for place in "$SWEEPS"/*/ /sys/module/fd_*/; do
        id=${place%/} id=${id##*/}
        case $id in fd_*) id=${id#fd_} id=${id%"${id#????????_??????_????}"} ;; esac
        ! is_id "$id" || has_word "$ids" "$id" || ids="$ids $id"
    done
    for id in $ids; do
        ours_loaded "$id"
        modules=$loaded
        held=''
        { read -r held _ <"$LOCK"; } 2>/dev/null
        said=$(finish "$id")
        if [ "$held" = "$id" ] && [ -d "$SWEEPS/$id" ]; then
            # an arming that still runs starts no more sessions; what it started meanwhile ends, too
            true 2>/dev/null >"$SWEEPS/$id/aborted"
            said=$(finish "$id")
        fi
        [ -z "$said" ] || say "$said"
        # shellcheck disable=SC2086  # names of modules are words
        set -- $modules
        say "aborted $id $#"
    done
    echo "abort=complete"
}

collect() {
    clock came
    is_id "$1" || die "collect: '$1' is not a sweep id"
    cd "$SWEEPS/$1" 2>/dev/null || die "nothing of sweep $1 is on this host"
    finish "$1"
    sessions_of "$1"
    kernel_since "$1"
    piped='' written=yes altered=''
    for probe in $sessions; do
        { true >>"$probe/out" && true >>"$probe/err" && append_json "$probe"; } 2>/dev/null || written=no
    done
    # each of these looks at all sessions at once
    sizes=$(wc -c -- */out */err 2>/dev/null)
    # shellcheck disable=SC2086  # names of probes are words
    [ -e unredacted ] || without_secrets $sessions
    [ -z "$altered" ] || sizes=$(wc -c -- */out */err 2>/dev/null)
    sums=$(sha256sum -- */out 2>/dev/null)
    if [ -n "$piped" ] || [ "$written" = no ]; then
        say "kernel unwritten $HOME_DIR"
    elif free_mb && [ "$mb" = 0 ]; then
        say "kernel full $HOME_DIR"
    fi
    for probe in $sessions; do hand_over "$probe" || say "kernel unread $probe"; done
    true 2>/dev/null >collected
    clock left
    echo "collect=complete"
}

hand_over() { # PROBE; false if its output cannot be read
    changed=- printed='' cpu=''
    { read -r result status cpu <"$1/result"; } 2>/dev/null || { result=unknown status=0 cpu=0; }
    [ -e unredacted ] || {
        read -r changed <"$1/redacted"
        read -r printed <"$1/printed"
    } 2>/dev/null
    size_of "$1/out"
    if has_word "$piped" "$1"; then
        printed=${printed:-$size}
        changed=$({
            piped_out "$1/out"
            piped_out "$1/err"
        } 2>&1 >/dev/null \
            | awk '$0 == "r" {n++} $0 == "unreadable" {bad = 1} END {if (!bad) print n + 0}')
        [ -n "$changed" ] || return 1
        size=$(piped_out "$1/out" 2>/dev/null | wc -c)
        sum=$(piped_out "$1/out" 2>/dev/null | sha256sum)
        sum=${sum%% *}
    else
        sum=${sums%%"  $1/out"*} sum=${sum##*"$NL"}
    fi
    is_sha "$sum" || return 1
    say "session $1 $result $status $cpu $size $sum ${printed:-$size} $changed"
    printf 'out %s ' "$1"
    if has_word "$piped" "$1"; then piped_out "$1/out" 2>/dev/null | gzip -1nc; else gzip -1nc <"$1/out"; fi | base64 -w 0
    echo
    size_of "$1/err"
    [ "$size" -eq 0 ] || {
        printf 'err %s ' "$1"
        if has_word "$piped" "$1"; then piped_out "$1/err" 2>/dev/null; else cat "$1/err"; fi | head -c 65536 | gzip -1nc | base64 -w 0
        echo
    }
}

forget() {
    is_id "$1" || die "forget: '$1' is not a sweep id"
    [ -e "$SWEEPS/$1/collected" ] || finish "$1"
    rm -rf "${SWEEPS:?}/$1"
    echo "forget=ok"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
    preflight) preflight ;;
    put) put "${1:-}" ;;
    arm) arm ;;
    go) go "${1:-}" "${2:-}" "${3:-}" ;;
    collect) collect "${1:-}" ;;
    stop | reap) is_id "${1:-}" && finish "$1" ;;
    abort) abort ;;
    forget) forget "${1:-}" ;;
    unload) unload "${1:-}" "${2:-}" ;;
    nonce) nonce "${1:-}" "${2:-}" ;;
    json) json "${1:-}" "${2:-}" ;;
    redact) redact 2>/dev/null ;;
    *) die "guard.sh: unknown verb '$verb'" ;;
esac
exit $? # what follows on a host: whose signature counts, and the rules of redact.sed
