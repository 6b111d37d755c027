#!/bin/sh
# Provide the servers and programs that the tests run: the system's, or else Debian's packages.
set -eu

missing=""
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="nginx-light"
command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
    missing="$missing postgresql"
command -v promtool >/dev/null || missing="$missing prometheus"
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
command -v redis-cli >/dev/null || missing="$missing redis-tools"
command -v caddy >/dev/null || missing="$missing caddy"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
if [ "${1:-}" = long ]; then  # for `make test-all`, `make faults` and `make bench`: 35 MB
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
    [ -x /usr/sbin/ip ] || [ -x /sbin/ip ] || missing="$missing iproute2"
    [ -x /usr/sbin/iptables ] || [ -x /sbin/iptables ] || missing="$missing iptables"
fi
if [ "${1:-}" = machine ]; then  # for `make docs-test`
    command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
    command -v pasta >/dev/null || missing="$missing passt"
    command -v systemd-nspawn >/dev/null || missing="$missing systemd-container"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$(printf ' %s' $missing) for the tests ..."
    # shellcheck disable=SC2086 these are several packages
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null; then
        exit
    fi
fi
echo "The tests need these Debian packages or their equivalents:$(printf ' %s' $missing)" >&2
exit 1
