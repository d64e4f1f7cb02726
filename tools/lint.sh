#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every linter over the whole tree; all of them run, the first that complains decides the exit status.
set -u
cd "$(dirname -- "$0")/.." || exit 2
PATH=$PWD/.venv/bin:$PATH
export PYTHONPATH="$PWD/.collections:$PWD/src" # lint-imports imports what it looks at
failed=''

# The host program is one file where it runs; its parts mean nothing alone.
host_program() {
    program='from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import host_program as one'
    python -c "import sys; $program; sys.stdout.buffer.write(one.text())" | shellcheck -
}

check() {
    printf '%s\n' "lint: $1"
    "$@" || failed="$failed $1"
}

check ruff check --quiet .
check ruff format --check --quiet .
check mypy
check lint-imports
check vulture
check yamllint --strict collection tests containers .github
# ansible-lint looks for new releases of itself and of collections unless told not to.
check ansible-lint --offline -q
check shellcheck .ci/run tools/*.sh
check host_program
# The lab puts the variables before them.
check shellcheck --shell=sh --exclude=SC2154 src/fleetdiag/lab/files/*.sh
check shfmt --apply-ignore --diff .ci/run tools/*.sh collection/roles/sweep/files/guard/*.part src/fleetdiag/lab/files/*.sh
check codespell .ci README.md CODE_OF_CONDUCT.md CONTRIBUTING.md Makefile SECURITY.md collection pyproject.toml src tests tools
check reuse lint --quiet
check pymarkdown scan README.md CODE_OF_CONDUCT.md CONTRIBUTING.md SECURITY.md collection/README.md collection/docs collection/roles

if [ -n "$failed" ]; then
    echo "lint failed:$failed" >&2
    exit 1
fi
