# SPDX-License-Identifier: GPL-3.0-or-later
# Starts sessions, gives them their nonce and their window.

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
    # Modules that load at the same moment all make /proc/systemtap, of which the kernel warns: the first one makes it.
    after_first=''
    if [ -n "$units" ]; then
        after_first="n=0; until [ -d /proc/systemtap ] || [ -s $first/out ] || [ \$\$n = 100 ]; do n=\$\$((n + 1)); sleep 0.1; done; "
    else
        first=$dir
    fi
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
ExecStart=/bin/sh -c 'set -f; ${after_first}read -r words <$dir/command; exec \$\$words'
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
