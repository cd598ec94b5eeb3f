#!/bin/bash -e
# May be run again when it was cut off: the password is kept first, and a server that was made with it stays.
password=$(ctx instance runtime-properties master_password 2> /dev/null || true)
if [ -z "$password" ]; then
    # A password of its own for each server; it leaves this machine only as a runtime property.
    password=$(head -c 256 /dev/urandom | tr -dc A-Za-z0-9 | head -c 24)
    ctx instance runtime-properties master_username "$master_username"
    ctx instance runtime-properties master_password "$password"
fi
if sudo test -f /var/lib/pgsql/data/PG_VERSION; then
    exit 0
fi
file=$(mktemp)
trap 'rm -f "$file"' EXIT
printf '%s\n' "$password" > "$file"
export PGSETUP_INITDB_OPTIONS="--username=$master_username --pwfile=$file --auth-host=scram-sha-256"
sudo -E postgresql-setup initdb
