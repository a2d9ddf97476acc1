#!/bin/sh
# Runs once, when the database's volume is made: the owner of Mien's tables, who is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\getenv password OWNER_PASSWORD
CREATE ROLE owner LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE mien OWNER owner;
SQL
