# SPDX-License-Identifier: GPL-3.0-or-later
# Does what is asked. What was sent behind this line is no program.

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
