#!/bin/sh
# Lock the requirements: every package with its version and the hashes of its files, for Python 3.11
# and newer on every platform. `lock.sh --upgrade` also updates what the requirements do not pin.
set -eu
cd "$(dirname "$0")/.."

# lock NAME OPTION... FILE...: write NAME.lock; keeps the versions that it has.
lock() {
    output=$1.lock
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" --output-file "$output" "$@" $upgrade
}

upgrade=${1:-}
lock requirements requirements.txt requirements-tracing.txt
lock requirements-embedded --no-deps requirements-embedded.txt
lock requirements-node requirements-node.txt
lock requirements-dev --constraint requirements.lock requirements.txt requirements-dev.txt
