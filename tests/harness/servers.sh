# shellcheck shell=bash
# Starts private Postgres and NATS servers in $scratch on free ports, and stops them. Sourced by tests/run.

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# as_server_user COMMAND...: Postgres refuses to run as root, so that root becomes somebody else for it.
as_server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups -- "$@"
    fi
}

# await NAME LOG COMMAND...: waits at most a minute until the command succeeds.
await() {
    local name=$1 log=$2 tries
    shift 2
    for ((tries = 0; tries < 600; tries++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    say "$name did not start; the end of its log:"
    tail -n 40 "$log" >&2
    return 1
}

start_postgres() {
    local port data=$scratch/postgres
    port=$(free_port)
    mkdir -p "$data"
    if [ "$(id -u)" -eq 0 ]; then
        server_user=$(id -un postgres 2>/dev/null || echo nobody)
        chmod 755 "$scratch"
        chown "$server_user" "$data"
    fi
    cd "$data" # the other user may not be able to read where we are
    as_server_user "$postgres_bin/initdb" --pgdata="$data/data" --username=turnpike --auth=trust --no-sync >"$data/initdb.log"
    as_server_user "$postgres_bin/postgres" -D "$data/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=300 >"$data/log" 2>&1 &
    cd "$root"
    await Postgres "$data/log" "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$port"
    # The server itself, not the shell that became another user to start it.
    postgres_pid=$(head -n 1 "$data/data/postmaster.pid")
    export TURNPIKE_TEST_POSTGRES="postgres://turnpike@127.0.0.1:$port/postgres"
}

start_nats() {
    local port log=$scratch/nats.log
    port=$(free_port)
    "$nats_server" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$scratch/nats" >"$log" 2>&1 &
    nats_pid=$!
    await nats-server "$log" grep -q 'Server is ready' "$log"
    export TURNPIKE_TEST_NATS="nats://127.0.0.1:$port"
}

# end_process PID SIGNAL OTHER: sends the signal, and the other one where nothing has come of it after half a minute.
end_process() {
    local pid=$1 tries
    kill -"$2" "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 300; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -"$3" "$pid" 2>/dev/null || true
}

# stop_servers STATUS: on any way out; shows the servers' last words if the tests failed.
stop_servers() {
    local status=$1
    trap - EXIT
    # SIGINT asks Postgres for a fast shutdown: clients are cut, nothing is waited for. SIGQUIT does not even tidy up.
    [ -z "${postgres_pid:-}" ] || end_process "$postgres_pid" INT QUIT
    [ -z "${nats_pid:-}" ] || end_process "$nats_pid" TERM KILL
    if [ "$status" -ne 0 ]; then
        for log in "$scratch/postgres/log" "$scratch/nats.log"; do
            [ ! -e "$log" ] || { say "the end of $log:" && tail -n 15 "$log" >&2; }
        done
    fi
    rm -rf "$scratch"
    exit "$status"
}
