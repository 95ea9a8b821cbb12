#!/usr/bin/env bash
# Makes sure of a `temporal` command: on PATH, or in <home>/bin, else built there with Go (minutes, once).
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python - <<'PYTHON'
import sys
from perdure.embedded.temporal_server import ensure_binary
from perdure.errors import PerdureError
from perdure.settings import home_directory

lines = 0

def show(line: str) -> None:
    global lines
    lines += 1
    sys.stdout.write(f"\r\033[KBuilding the Temporal CLI, {lines} packages: {line[:60]}")
    sys.stdout.flush()

try:
    binary = ensure_binary(home_directory(), show)
except PerdureError as error:
    sys.exit(f"\n{error}")
sys.stdout.write(f"{chr(10) if lines else ''}Temporal CLI: {binary}\n")
PYTHON
