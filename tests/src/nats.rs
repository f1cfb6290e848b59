//! A NATS server of a test's own, so that it can be taken away and wiped.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    place,
    process::{self, Process},
};

/// A running nats-server with JetStream.
#[derive(Debug)]
pub struct Nats {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
    folder: PathBuf,
    password: Option<String>,
}

/// Whom everybody is there who needs a password.
const USER: &str = "turnpike";

impl Nats {
    /// Starts one on a free port, with its data in `<folder>/nats`, for everybody or for who knows the password.
    pub async fn start(folder: &Path, password: Option<&str>) -> Self {
        let (process, address) = serve(folder, 0, password).await;
        Self {
            address,
            process,
            folder: folder.to_owned(),
            password: password.map(str::to_owned),
        }
    }

    /// The URL of it by way of another host and port, such as those of a cable to it.
    pub fn url_by_way_of(&self, address: SocketAddr) -> String {
        match &self.password {
            Some(password) => format!("nats://{USER}:{password}@{address}"),
            None => format!("nats://{address}"),
        }
    }

    /// Kills it, as a crash would.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again where it was, with nothing of what it knew.
    pub async fn restart_empty(&mut self) {
        fs::remove_dir_all(self.folder.join("nats")).expect("the data folder of nats-server");
        (self.process, self.address) = serve(&self.folder, 0, self.password.as_deref()).await;
    }
}

async fn serve(folder: &Path, port: u16, password: Option<&str>) -> (Process, SocketAddr) {
    let mut command = process::command(place::nats_server());
    // Port -1 takes a free one.
    let port = if port == 0 {
        "-1".to_owned()
    } else {
        port.to_string()
    };
    command.args(["--addr", "127.0.0.1", "--port", &port, "--jetstream"]);
    command.arg("--store_dir").arg(folder.join("nats"));
    if let Some(password) = password {
        command.args(["--user", USER, "--pass", password]);
    }
    let log = folder.join("nats-server.log");
    let skip = fs::read(&log).map_or(0, |printed| printed.len());
    let mut process = Process::spawn(folder, "nats-server", command);
    let listening = |printed: &str| {
        printed.contains("Server is ready").then_some(())?;
        let (_, after) = printed.split_once("Listening for client connections on ")?;
        after.split_whitespace().next()?.parse().ok()
    };
    let address = process.find("its address", skip, listening).await;
    (process, address)
}
