# As the official image does it: a cluster made from POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, then /docker-entrypoint-initdb.d.
set -euo pipefail
bin=$(echo /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/data
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
chown postgres:postgres "$data"
mkdir -p /var/run/postgresql
chown postgres:postgres /var/run/postgresql
if [ ! -s "$data/PG_VERSION" ]; then
    password=$(mktemp)
    chown postgres "$password"
    printf '%s' "$POSTGRES_PASSWORD" >"$password"
    as "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C \
        --pwfile="$password" >/dev/null
    rm "$password"
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    as "$bin/pg_ctl" -D "$data" -o "-c listen_addresses=''" -w start >/dev/null
    as "$bin/createdb" -U "$POSTGRES_USER" "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*.sql; do
        as "$bin/psql" -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$script"
    done
    as "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$bin/postgres" -D "$data" -c "listen_addresses=*" -c max_connections=200 "${@:2}"
