# SPDX-License-Identifier: GPL-3.0-or-later
# Takes secrets out of all that leaves the host.

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
