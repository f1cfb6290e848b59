//! Where the test environment's parts are: what `tests/run` says, and where they lie if it was not used.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is one level below the root")
}

/// One of Turnpike's binaries, as built with the profile `ci`.
pub fn binary(name: &str) -> PathBuf {
    let folder = env::var_os("TURNPIKE_TEST_BIN").map_or_else(|| root().join("target/ci"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: run ./tests/run", path.display());
    path
}

/// A Python with the official clients.
pub fn python() -> PathBuf {
    env::var_os("TURNPIKE_TEST_PYTHON")
        .map_or_else(|| root().join("target/tools/python/bin/python"), PathBuf::from)
}

/// A Postgres server's URL, as somebody who may create databases and roles.
pub fn postgres() -> String {
    env::var("TURNPIKE_TEST_POSTGRES").expect("TURNPIKE_TEST_POSTGRES is not set: run ./tests/run")
}

/// The nats-server binary: tests that take the bus away need one of their own.
pub fn nats_server() -> PathBuf {
    env::var_os("TURNPIKE_TEST_NATS_SERVER").map_or_else(|| PathBuf::from("nats-server"), PathBuf::from)
}

/// The folder with the identity provider's server and its packages.
pub fn idp() -> PathBuf {
    env::var_os("TURNPIKE_TEST_IDP").map_or_else(
        || panic!("TURNPIKE_TEST_IDP is not set: run ./tests/run"),
        PathBuf::from,
    )
}

/// The Node.js that runs it.
pub fn node() -> PathBuf {
    env::var_os("TURNPIKE_TEST_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from)
}

/// nginx, with its module for `auth_request`.
pub fn nginx() -> PathBuf {
    env::var_os("TURNPIKE_TEST_NGINX").map_or_else(|| PathBuf::from("nginx"), PathBuf::from)
}

/// Envoy.
pub fn envoy() -> PathBuf {
    env::var_os("TURNPIKE_TEST_ENVOY").map_or_else(|| PathBuf::from("envoy"), PathBuf::from)
}
