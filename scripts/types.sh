#!/bin/sh
# Check the JSDoc types of the page's JavaScript, and of its service worker.
set -eu
cd "$(dirname "$0")/.."
scripts/node_modules.sh
PATH=$PWD/.venv/bin:$PATH
node_modules/.bin/tsc --project tsconfig.json
node_modules/.bin/tsc --project chat/web_app/tsconfig.json
