#!/bin/bash -e
# A password of its own for each server; it leaves this machine only as a runtime property.
password=$(head -c 256 /dev/urandom | tr -dc A-Za-z0-9 | head -c 24)
file=$(mktemp)
trap 'rm -f "$file"' EXIT
printf '%s\n' "$password" > "$file"
export PGSETUP_INITDB_OPTIONS="--username=$master_username --pwfile=$file --auth-host=scram-sha-256"
sudo -E postgresql-setup initdb
ctx instance runtime-properties master_username "$master_username"
ctx instance runtime-properties master_password "$password"
