#!/bin/sh
# Provide Chromium for the browser tests: the system's, or else Debian's package or Playwright's build.
set -eu
cd "$(dirname "$0")/.."
playwright=.venv/bin/playwright

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then
        exit
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser tests ..."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends chromium fonts-liberation >/dev/null; then
        exit
    fi
fi
if ! "$playwright" install chromium; then
    echo "The browser tests need Chromium. Install it (on Debian: apt install chromium)." >&2
    exit 1
fi
