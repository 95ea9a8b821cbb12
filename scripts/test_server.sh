#!/usr/bin/env bash
# Makes .tools/test-server/run, the time-skipping Temporal test server, out of Maven jars. Once.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=$PWD/.tools/test-server
stamp=$(sha256sum scripts/test_server/pom.xml | cut -d' ' -f1)
[ -x "$directory/run" ] && [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

for tool in mvn java; do
    command -v "$tool" >/dev/null || {
        echo "The time-skipping tests need $tool: install Maven and a Java 11 or newer." >&2
        exit 1
    }
done
echo "Fetching the time-skipping Temporal test server"
rm -rf "$directory"
mkdir -p "$directory"
mvn --quiet --batch-mode --file scripts/test_server/pom.xml dependency:copy-dependencies \
    -DoutputDirectory="$directory/lib"
# The directory may be moved.
printf '#!/bin/sh\nexec java -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"\n' >"$directory/run"
chmod +x "$directory/run"
echo "$stamp" >"$directory/stamp"
