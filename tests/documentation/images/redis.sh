#!/bin/sh
# Redis 8 has the JSON and search modules built in.
modules="--loadmodule /opt/redis/redisearch.so --loadmodule /opt/redis/rejson.so"
# shellcheck disable=SC2086 these are several arguments
exec /opt/redis/valkey-server "$@" $modules --protected-mode no
