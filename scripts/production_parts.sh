#!/usr/bin/env bash
# Makes sure of what `make test-production` starts beside Perdure: Debian's PostgreSQL, PgBouncer and Redis, which are
# looked for, and the Temporal server and an S3 server, which Go builds into .tools/bin (minutes, once). Names all that
# is missing at once.
set -euo pipefail
cd "$(dirname "$0")/.."

temporal=v1.29.1
versitygw=v1.8.0
bin="$PWD/.tools/bin"
schema="$PWD/.tools/temporal-schema"
# A Go that is older than what these modules ask for fetches a newer one like a module.
export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}

has() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null; }
is_built() { [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.version" 2>/dev/null)" = "$2" ]; }
has_schema() { [ "$(cat "$schema/version" 2>/dev/null)" = "$temporal" ]; }

missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has initdb || missing+=("PostgreSQL (Debian: postgresql)")
has pgbouncer || missing+=("PgBouncer (Debian: pgbouncer)")
has redis-server || has valkey-server || missing+=("Redis or Valkey (Debian: redis-server)")
if ! { is_built temporal-server $temporal && is_built temporal-sql-tool $temporal &&
    is_built versitygw $versitygw && has_schema; }; then
    has go || missing+=("Go 1.25 or newer, to build the Temporal server and an S3 server (go.dev/dl)")
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "The production form cannot be tested here. Missing:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
fi

# Of what Go says, one line in ten seconds.
progress() {
    local line told=$SECONDS lines=0
    while IFS= read -r line; do
        lines=$((lines + 1))
        if [ $((SECONDS - told)) -ge 10 ]; then
            echo "  $lines modules and packages, now ${line#go: downloading }"
            told=$SECONDS
        fi
    done
}

# build NAME PACKAGE VERSION: under a name of ours.
build() {
    local name=$1 package=$2 version=$3 folder started=$SECONDS
    is_built "$name" "$version" && return
    echo "Building $name $version into .tools/bin, which takes minutes"
    mkdir -p "$bin"
    folder=$(mktemp -d "$bin/.building-XXXXXX")
    if ! GOBIN="$folder" go install -v "$package@$version" 2>&1 | tee "$folder/log" | progress; then
        tail -n 20 "$folder/log" >&2
        rm -rf "$folder"
        echo "Building $package@$version failed, with $(go version 2>&1 | head -n 1). Modules come from $(go env GOPROXY)." >&2
        exit 1
    fi
    mv "$folder/$(basename "$package")" "$bin/$name"
    rm -rf "$folder"
    echo "$version" >"$bin/$name.version"
    echo "Built $name in $((SECONDS - started)) s"
}

build temporal-server go.temporal.io/server/cmd/server $temporal
build temporal-sql-tool go.temporal.io/server/cmd/tools/sql $temporal
build versitygw github.com/versity/versitygw/cmd/versitygw $versitygw

# The schema comes with the server's module.
if ! has_schema; then
    module=$(go mod download -json "go.temporal.io/server@$temporal" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    if [ ! -d "$module/schema/postgresql/v12" ]; then
        echo "The Temporal server's module holds no schema for PostgreSQL: '$module'." >&2
        exit 1
    fi
    rm -rf "$schema"
    mkdir -p "$schema"
    for store in temporal visibility; do
        cp -R "$module/schema/postgresql/v12/$store/versioned" "$schema/$store"
    done
    chmod -R u+w "$schema"
    echo "$temporal" >"$schema/version"
fi
