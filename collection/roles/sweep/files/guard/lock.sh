# SPDX-License-Identifier: GPL-3.0-or-later
# One sweep at a time holds a host.

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
