//! Starts the processes of the production shape, each until it says where it is.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::PROVIDER_SECRET;
use crate::{
    database::Database,
    place,
    process::{self, Process},
};

/// Unique, because the folder's name is.
pub(super) fn database_name(folder: &Path) -> String {
    let name: PathBuf = folder.file_name().expect("a name").into();
    let unique: String = name
        .to_string_lossy()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("turnpike_{unique}")
}

pub(super) async fn generate_keyring() -> String {
    let printed = process::command(place::binary("turnpike"))
        .args(["keyring", "generate"])
        .output()
        .await;
    String::from_utf8(printed.expect("a keyring").stdout)
        .expect("text")
        .trim()
        .to_owned()
}

pub(super) async fn migrate(database: &Database, app_role: Option<&str>) {
    let mut command = process::command(place::binary("turnpike-control-plane"));
    let ended = command
        .arg("migrate")
        .args(app_role.into_iter().flat_map(|role| ["--app-role", role]))
        .env("TURNPIKE_DATABASE_URL", &database.url)
        .output()
        .await;
    let ended = ended.expect("the control plane's binary");
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

pub(super) async fn start_provider(folder: &Path) -> (Process, SocketAddr) {
    let mut process = Process::start(folder, "provider", "turnpike", |command| {
        command.args([
            "fake-provider",
            "--listen",
            "127.0.0.1:0",
            "--secret-from-env",
            "PROVIDER_SECRET",
        ]);
        command.env("PROVIDER_SECRET", PROVIDER_SECRET);
    });
    let told = |printed: &str| {
        let line: Value = serde_json::from_str(printed.lines().next()?).ok()?;
        line["address"].as_str()?.parse().ok()
    };
    let address = process.find("its address", 0, told).await;
    (process, address)
}

/// Where a control plane that serves listens to edges that have enrolled.
pub(super) async fn edge_listener(control_plane: &mut Process, skip: usize) -> SocketAddr {
    control_plane
        .address(skip, "the control plane serves", "edges")
        .await
}

/// Starts a control plane and waits for the log line that says where it is.
pub(super) async fn start_control_plane(
    folder: &Path,
    settings: &[(String, String)],
    until: &str,
) -> (Process, SocketAddr, SocketAddr) {
    let skip = std::fs::read(folder.join("control-plane.log")).map_or(0, |log| log.len());
    let mut process = Process::start(folder, "control-plane", "turnpike-control-plane", |command| {
        command.args(["--listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder.join("control-plane"));
        command.envs(settings.iter().map(|(name, value)| (name, value)));
    });
    let grpc = process.address(skip, until, "grpc").await;
    let operations = process.address(skip, until, "operations").await;
    (process, grpc, operations)
}
