//! The first shape: `turnpike dev`, everything in one process.

use std::{collections::BTreeMap, fs, net::SocketAddr, ops::Deref, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cli::Cli,
    eventually::eventually,
    ground::{EdgeAt, Ground},
    process::Process,
};

/// A running `turnpike dev`.
#[derive(Debug)]
pub struct Dev {
    /// What `dev.env` exports.
    pub environment: BTreeMap<String, String>,
    /// The process.
    pub process: Process,
    ground: Ground,
    folder: TempDir,
}

impl Dev {
    /// Starts one in a folder of its own.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder")).await
    }

    /// Starts one on what another has left.
    pub async fn start_in(folder: TempDir) -> Self {
        let data = folder.path().join("state");
        let skip = fs::read(folder.path().join("dev.log")).map_or(0, |log| log.len());
        let mut process = Process::start(folder.path(), "dev", "turnpike", |command| {
            command.arg("dev").arg("--data-dir").arg(&data);
            for part in ["edge", "edge-operations", "admin", "admin-operations"] {
                command.args([&format!("--{part}-listen"), "127.0.0.1:0"]);
            }
            // dev.env does not tell where the operations are, the log does.
            command.env("TURNPIKE_LOG", "info");
        });
        let operations = process.address(skip, "edge started", "operations").await;
        let ready = |printed: &str| printed.contains("Ctrl-C stops it").then_some(());
        process.find("that it is ready", skip, ready).await;
        let environment = eventually("dev.env", async || read_environment(&data)).await;
        let ground = ground(&data, &environment, operations);
        Self {
            environment,
            process,
            ground,
            folder,
        }
    }

    /// The folder with its state in `state` and its log beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One of the secrets in `dev.keys`.
    pub fn secret(&self, name: &str) -> String {
        keys(&self.folder.path().join("state"))[name]
            .as_str()
            .expect("a secret")
            .to_owned()
    }

    /// Ends it with Ctrl-C, and gives back the folder.
    pub async fn stop(mut self) -> TempDir {
        let status = self.process.interrupt().await;
        assert!(
            status.success(),
            "turnpike dev ended with {status}:\n{}",
            self.process.printed()
        );
        self.folder
    }
}

impl Deref for Dev {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

fn ground(data: &Path, environment: &BTreeMap<String, String>, operations: SocketAddr) -> Ground {
    let at = |name: &str| {
        let url = environment[name]
            .trim_start_matches("http://")
            .trim_end_matches("/v1");
        url.parse::<SocketAddr>().expect("an address")
    };
    let keys = keys(data);
    let control_plane = at("TURNPIKE_CONTROL_PLANE");
    let edge = EdgeAt {
        region: "local".to_owned(),
        data: at("OPENAI_BASE_URL"),
        operations,
    };
    Ground {
        edges: vec![edge],
        admin: Cli::new(control_plane, &environment["TURNPIKE_TOKEN"]),
        operator: Cli::new(
            control_plane,
            keys["platform/user:admin"].as_str().expect("the operator's key"),
        ),
    }
}

fn keys(data: &Path) -> Value {
    let text = fs::read_to_string(data.join("dev.keys")).expect("dev.keys");
    serde_json::from_str(&text).expect("keys")
}

/// What a shell would have after sourcing the file.
fn read_environment(data: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(data.join("dev.env")).map_err(|error| error.to_string())?;
    let pairs = text
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect())
}
