#!/usr/bin/env bash
# Writes requirements/*.txt anew: every version and hash, for every platform, and no host name.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .tools/uv/bin/uv)
compile() {
    output=requirements/$1.txt
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        "$@" --output-file "$output"
    if grep -nE '://|^--' "$output"; then
        echo "$output names a host: is an index configured by an option?" >&2
        exit 1
    fi
}
compile run pyproject.toml requirements/build.in "$@"
compile dev pyproject.toml requirements/build.in --group dev --constraints requirements/run.txt "$@"
# What the product is compared with lives in a virtual environment of its own: it wants older libraries.
compile bench --group bench "$@"
