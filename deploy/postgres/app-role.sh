#!/bin/sh
# Run once by the Postgres image, on an empty data folder: makes the role that control planes connect as. It owns
# nothing; `turnpike-control-plane migrate --app-role` gives it the right to append and to read.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$POSTGRES_APP_PASSWORD" <<'SQL'
CREATE ROLE turnpike_app LOGIN PASSWORD :'password';
SQL
