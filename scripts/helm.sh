#!/usr/bin/env bash
# Makes sure of a `helm` command: on PATH, or in .tools/bin, else built there with Go (minutes, once).
set -euo pipefail
cd "$(dirname "$0")/.."

version=v3.18.6
command -v helm >/dev/null && exit 0
if [ -x .tools/bin/helm ] && [ "$(cat .tools/bin/helm.version 2>/dev/null)" = "$version" ]; then
    exit 0
fi
command -v go >/dev/null || {
    echo "The tests of the Helm chart need a helm command: install Helm 3, or Go to build it." >&2
    exit 1
}
echo "Building Helm $version into .tools/bin, which takes minutes"
mkdir -p .tools/bin
GOBIN="$PWD/.tools/bin" go install "helm.sh/helm/v3/cmd/helm@$version"
echo "$version" >.tools/bin/helm.version
