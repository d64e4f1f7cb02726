# SPDX-License-Identifier: GPL-3.0-or-later
# Keeps compiled modules, and looks at each before it is loaded.

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
