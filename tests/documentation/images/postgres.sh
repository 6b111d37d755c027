#!/bin/sh
# Create the database with the user and the password of the environment, once; then start the server.
set -eu
data=/var/lib/postgresql/data
if [ ! -s $data/PG_VERSION ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb -D $data -U "$POSTGRES_USER" --pwfile=/tmp/password -A trust --auth-host=scram-sha-256 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>$data/pg_hba.conf
    pg_ctl -D $data -o "-c listen_addresses=''" -w -s start
    createdb -U "$POSTGRES_USER" -T template0 "$POSTGRES_DB"
    pg_ctl -D $data -w -s stop
fi
exec "$@" -D $data -c "listen_addresses=*"
