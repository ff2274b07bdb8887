#!/usr/bin/env bash
# Makes a role that owns its service's database and is nothing else, least of all a superuser; and where SERVICE_ROLE is
# given, a second one that owns nothing, as which the service works. Runs once, when a cluster is new; run by hand it adds
# what an older cluster does not have yet.
set -euo pipefail
superuser=${POSTGRES_USER:-postgres} # the image's entrypoint sets it, and no other way in does
psql --set=ON_ERROR_STOP=1 --username "$superuser" --dbname postgres \
    --set=role="$SERVICE_DATABASE" --set=password="$(cat "$SERVICE_PASSWORD_FILE")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L', :'role', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'role', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'role') \gexec
REVOKE CONNECT, TEMPORARY ON DATABASE :"role" FROM PUBLIC;
SQL
[ -n "${SERVICE_ROLE:-}" ] || exit 0
psql --set=ON_ERROR_STOP=1 --username "$superuser" --dbname postgres --set=database="$SERVICE_DATABASE" \
    --set=role="$SERVICE_ROLE" --set=password="$(cat "$SERVICE_ROLE_PASSWORD_FILE")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L', :'role', :'password')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
GRANT CONNECT ON DATABASE :"database" TO :"role";
SQL
