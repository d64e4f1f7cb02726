#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The site of the docs: the guides, a page for each probe with a picture of its part of the report, and the reference of
# modules and roles, into build/docs/html. What it takes beside .venv (the extra `docs`) is put into build/docs-venv.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
venv=$root/build/docs-venv
src=$root/build/docs/src
html=$root/build/docs/html
named=fleetdiag.systemtap

[ -x "$venv/bin/python" ] || .venv/bin/python -m venv "$venv"
.venv/bin/python -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"]["docs"], sep="\n")' >"$venv/requirements.txt"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --requirement "$venv/requirements.txt"
PATH=$venv/bin:$root/.venv/bin:$PATH
export ANSIBLE_COLLECTIONS_PATH="$root/.collections"

rm -rf "$root/build/docs"
mkdir -p "$src" "$html"
cp -R tools/docs/. collection/docs "$src" # as it stands in the collection: guides link to the roles
mkdir "$src/roles"
cp -R collection/roles/. "$src/roles"
find "$src/roles" -type f ! -name README.md ! -name '*.yml' -delete # their READMEs name files of variables
if command -v chromedriver >/dev/null; then
    .venv/bin/python tools/probe_pictures.py "$src/docs/probes/img"
else
    echo "docs: no pictures of the probes without chromium-driver (make packages)" >&2
fi
(cd .collections/ansible_collections/fleetdiag/systemtap && antsibull-docs lint-collection-docs --plugin-docs \
    --validate-collection-refs self --disallow-unknown-collection-refs --check-extra-docs-refs .)
mkdir "$src/reference"
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$src/reference" "$named"
sphinx-build --quiet --fail-on-warning --keep-going -b html "$src" "$html"
# The theme has an alarm in its place.
if grep -rlE 'class="([^"]* )?contents[ "]' "$html"; then
    echo "docs: these pages have a table of contents of their own, see tools/docs/conf.py" >&2
    exit 1
fi
echo "$html/index.html"
