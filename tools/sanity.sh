#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `ansible-test sanity` on what is shipped: the collection is built, installed below build/sanity, and tested there.
# Arguments are those of ansible-test: --docker default, --venv, --local, names of tests.
# CORE=2.20 takes that ansible-core, in an environment below build/ with a Python that it knows, and tests with that alone;
# without it the ansible-core of .venv is taken. Exit code 75: there is no such Python.
set -eu
cd "$(dirname -- "$0")/.."
PATH=$PWD/.venv/bin:$PATH
unset PYTHONPATH ANSIBLE_COLLECTIONS_PATH || :
core=${CORE:-}
out=$PWD/build/sanity/${core:-venv}
tools=$PWD/build/sanity-tools

if [ -n "$core" ]; then
    case $core in
        2.19) pythons='3.13 3.12 3.11' ;;
        *) pythons='3.14 3.13 3.12' ;;
    esac
    venv=$tools/core-$core
    if command -v pyenv >/dev/null; then # else only one of its Pythons has a name
        PYENV_VERSION=$(pyenv versions --bare | paste -sd : -)
        export PYENV_VERSION
    fi
    for version in $pythons; do
        [ -x "$venv/bin/ansible-test" ] && break
        "python$version" -c 'import ensurepip, venv' 2>/dev/null || continue
        "python$version" -m venv "$venv"
        "$venv/bin/python" -m pip install -qq "ansible-core~=$core.0"
    done
    if [ ! -x "$venv/bin/ansible-test" ]; then
        echo "sanity: ansible-core $core needs a Python of $pythons, and there is none" >&2
        exit 75
    fi
    PATH=$venv/bin:$PATH
    set -- --local --python "$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@"
fi

rm -rf "$out"
mkdir -p "$out"
ansible-galaxy collection build --force --output-path "$out" collection
ansible-galaxy collection install --force --offline -p "$out" "$out"/*.tar.gz
cd "$out/ansible_collections/fleetdiag/systemtap"
printf 'tests/output/\n' >.gitignore
git init --quiet . # ansible-test looks at what git knows of
git add --all

# What ansible-test keeps from one run to the next stays in build/. It would fetch a script that installs pip; Python has
# one of its own, and then a package index is all that is needed.
export HOME="$tools/home"
mkdir -p "$HOME/.ansible/test/cache"
for version in 24_2 25_2; do # those of ansible-core 2.19 to 2.21
    cat >"$HOME/.ansible/test/cache/get_pip_$version.py" <<'PY'
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", *words])
PY
done
exec ansible-test sanity "$@"
