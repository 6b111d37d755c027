#!/bin/sh
# Replace the variables of the environment, and only those, in the templates; then start nginx.
set -eu
names=$(env | sed -n 's/=.*//p' | sed 's/.*/${&}/' | tr '\n' ' ')
for template in /etc/nginx/templates/*.template; do
    envsubst "$names" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec "$@"
