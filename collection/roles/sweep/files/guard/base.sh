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
