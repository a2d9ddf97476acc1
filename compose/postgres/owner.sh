#!/bin/sh
# Runs once, when the database volume is initialised: creates the owner of Mien's tables, not a superuser.
set -eu
psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\getenv password OWNER_PASSWORD
CREATE ROLE owner LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE mien OWNER owner;
\connect mien
-- Without this every role could store files in the database.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure) FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^lo(_|read$|write$)' \gexec
SQL
