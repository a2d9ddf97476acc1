#!/bin/bash
# First start: a cluster with the superuser's password, then the scripts, on the socket alone; after that serve.
set -euo pipefail
PATH=/usr/lib/server/bin:$PATH
sockets=/var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:?}") \
    --auth-local=trust --auth-host=scram-sha-256 -E UTF8 >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl -w -s -o "-c listen_addresses='' -k $sockets" start
  for script in /docker-entrypoint-initdb.d/*.sh; do
    [ -x "$script" ] || { echo "$script: not executable" >&2; exit 1; }
    "$script"
  done
  pg_ctl -w -s -m fast stop
fi
exec postgres -c listen_addresses='*' -k "$sockets"
