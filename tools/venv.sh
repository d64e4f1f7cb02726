#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Make the development environment .venv, quickly when nothing changed.
#
# Dependencies are installed, the project itself is not: an editable install would COPY the collection and hide every later
# edit. Instead a .pth file shows src/ to the environment's Python and bin/fleetdiag runs the live sources.
set -eu
umask 022

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
stamp=$venv/.stamp
python=${PYTHON:-python3}
# make puts the environment first in PATH; it must not be made by its own Python.
PATH=$(printf '%s' "$PATH" | sed "s|^$venv/bin:||")

wanted=$({
    sha256sum <"$root/pyproject.toml"
    sha256sum <"$0"
    echo "$root"
} | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

say() { printf '%s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$root/tools/packages.sh" python3 python3-venv
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'; then
    say "make venv: $("$python" --version) is not supported; set PYTHON to a Python 3.11 to 3.14."
    exit 2
fi

# One at a time: two makes at once would tear each other's environment apart.
exec 9<"$0"
flock 9
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi

say "Setting up $venv (a minute or two the first time)"
rm -f "$stamp"
# A virtual environment does not survive being moved; one made elsewhere or by another Python is made anew.
if [ "$(cat "$venv/.made_at" 2>/dev/null || true)" != "$venv" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    printf '%s\n' "$venv" >"$venv/.made_at"
fi
"$venv/bin/python" - "$root/pyproject.toml" >"$venv/requirements.txt" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as handle:
    project = tomllib.load(handle)
print(*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"], sep="\n")
PY
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --requirement "$venv/requirements.txt"

site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$root/src" >"$site/fleetdiag-source.pth"
printf '#!/bin/sh\nexec "%s/bin/python" -P -m fleetdiag "$@"\n' "$venv" >"$venv/bin/fleetdiag"
chmod 755 "$venv/bin/fleetdiag"
printf '%s\n' "$wanted" >"$stamp"
