#!/bin/sh
# Make sure that the tests of the proxy find nginx: the system's, or Debian's package.
set -eu

if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then
    exit
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing nginx for the tests of the proxy ..."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends nginx-light >/dev/null; then
        exit
    fi
fi
echo "No nginx for the tests of the proxy: install one (on Debian: apt install nginx-light)." >&2
exit 1
