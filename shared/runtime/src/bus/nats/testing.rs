//! NATS servers for tests, each a test's own: it may be stopped and wiped, and a stream reserves room on it.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::timeout;

use super::{NatsBus, NatsSettings};
use crate::secret::Secret;

/// Far longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A client whose connection is up.
pub(in crate::bus) async fn connected(settings: &NatsSettings) -> NatsBus {
    let bus = NatsBus::connect(settings, "test").await.unwrap().unwrap();
    until(&bus, true).await;
    bus
}

/// Waits until there is a connection, or none.
pub(super) async fn until(bus: &NatsBus, connected: bool) {
    let mut state = bus.state();
    let reached = state.wait_for(|is| *is == connected);
    timeout(PATIENCE, reached).await.unwrap().unwrap();
}

/// A server of one test, which ends with it.
pub(in crate::bus) struct Server {
    port: u16,
    store: TempDir,
    flags: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Not started yet.
    pub(super) fn new(flags: &[&str]) -> Self {
        // Bound and let go again, so that nobody listens there.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self {
            port,
            store: tempfile::tempdir().unwrap(),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            process: None,
        }
    }

    /// Started, and soon there.
    pub(in crate::bus) fn started() -> Self {
        let mut server = Self::new(&[]);
        server.start();
        server
    }

    pub(super) fn start(&mut self) {
        let program = std::env::var("TURNPIKE_TEST_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
        let child = Command::new(&program)
            .args([
                "--addr",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--jetstream",
            ])
            .arg("--store_dir")
            .arg(self.store.path())
            .args(&self.flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(child.unwrap_or_else(|error| {
            panic!("cannot start {program}: {error}; run the tests with ./tests/run, which finds one")
        }));
    }

    /// Cuts it off, and all its connections with it.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// As a new disk would be.
    pub(super) fn wipe(&mut self) {
        assert!(self.process.is_none(), "it runs");
        empty(self.store.path());
    }

    /// Where it is, for somebody who says `login` before the host: empty, or with an @ at the end.
    pub(in crate::bus) fn settings(&self, login: &str) -> NatsSettings {
        let url = format!("nats://{login}127.0.0.1:{}", self.port);
        NatsSettings {
            url: Some(Secret::new(url)),
            ..NatsSettings::default()
        }
    }
}

fn empty(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::create_dir(folder).unwrap();
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
