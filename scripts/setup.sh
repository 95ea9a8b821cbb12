#!/usr/bin/env bash
# Makes .venv from the committed hash lock: `scripts/setup.sh run` or `scripts/setup.sh dev`; or .venv-bench, what
# the product is compared with: `scripts/setup.sh bench`. Does nothing when that was done before with the same lock.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-run}
lock=requirements/$kind.txt
venv=.venv
[ "$kind" = bench ] && venv=.venv-bench
say() { printf '\033[1m%s\033[0m\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
            command -v "$candidate"
            return
        fi
    done
    die "Perdure needs Python 3.11, 3.12 or 3.13; set PYTHON to one."
}

find_uv() {
    if command -v uv >/dev/null; then
        command -v uv
        return
    fi
    if [ ! -x .tools/uv/bin/uv ]; then
        say "Installing uv into .tools/uv" >&2
        "$python" -m venv .tools/uv >&2 || die "Making a virtual environment failed: install python3-venv."
        .tools/uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2
    fi
    echo "$PWD/.tools/uv/bin/uv"
}

[ -f "$lock" ] || die "$lock is missing."
stamp_of() { sha256sum <"requirements/$1.txt" | cut -d' ' -f1; }

# What is installed for development holds all that running needs.
for installed in "$kind" dev; do
    if [ -x "$venv/bin/python" ] && [ -f "$venv/.lock-$installed" ] &&
        [ "$(cat "$venv/.lock-$installed")" = "$(stamp_of "$installed")" ]; then
        exit 0
    fi
done

python=$(find_python)
uv=$(find_uv)
"$venv/bin/python" -V >/dev/null 2>&1 || "$uv" venv --quiet --python "$python" "$venv"
say "Installing the locked packages of $lock (some gigabytes the first time)"
# Seconds to copy gigabytes are minutes on some disks; a link needs none.
UV_LINK_MODE=${UV_LINK_MODE:-hardlink} UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300} \
    "$uv" pip sync --python "$venv/bin/python" --require-hashes "$lock"
if [ "$kind" = bench ]; then
    # nltk opens no file that has a second hard link, and this package carries files for it.
    UV_LINK_MODE=copy "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --require-hashes \
        --reinstall-package llama-index-core --requirement "$lock"
else
    # The build tool is in the lock, too.
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
fi
if [ "$kind" != bench ]; then
    # Once, even where PYTHONDONTWRITEBYTECODE is set: with their bytecode, processes start in half the time.
    env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -c \
        "import api.serve, worker, perdure.cli, perdure.embedded.supervisor, perdure.providers.kreuzberg_parser"
fi
rm -f "$venv"/.lock-*
stamp_of "$kind" >"$venv/.lock-$kind"
