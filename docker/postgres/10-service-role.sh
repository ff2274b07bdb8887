#!/usr/bin/env bash
# Runs once, when a cluster is new: a role that owns its service's database and is nothing else, least of all a superuser.
set -euo pipefail
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set=role="$SERVICE_DATABASE" --set=password="$(cat "$SERVICE_PASSWORD_FILE")" <<'SQL'
CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE CONNECT, TEMPORARY ON DATABASE :"role" FROM PUBLIC;
SQL
