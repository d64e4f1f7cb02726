# SPDX-License-Identifier: GPL-3.0-or-later
# Ends sessions, unloads their modules, hands over what they printed.

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
