//! An edge that holds very many credentials: how long until it is ready, what it takes of memory, and what a change does
//! to the requests beside it. Its control plane is a stand-in, `bench_control_plane`, which makes changes when it is told.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::line::{Flow, Flowed, Question};
use crate::{eventually::eventually, place};

/// The population's model, as `super::population` makes it.
const MODEL: &str = "upstream/bench";
/// For a state of any size to be made or loaded.
const PATIENCE: Duration = Duration::from_secs(900);

/// What was found.
#[derive(Debug)]
pub struct Large {
    /// From its start to its readiness, with nothing on the disk.
    pub from_control_plane: Duration,
    /// The same with the state on the disk and no control plane.
    pub from_disk: Duration,
    /// Resident, in MiB, after the state had come from the control plane.
    pub memory: u64,
    /// Requests without and with changes beside them.
    pub requests: [Flowed; 2],
    /// How many changes were in force at the end.
    pub changes: u64,
}

/// A process that ends with this value.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Bed {
    folder: TempDir,
    keyring: String,
    control_plane: SocketAddr,
    edge: SocketAddr,
    operations: SocketAddr,
}

/// Measures with so many credentials, so many requests and changes a second, for so long each.
pub async fn measure(credentials: usize, rate: u32, changes: u32, lasting: Duration) -> Large {
    let bed = Bed::new();
    let upstream = free();
    let _upstream = bed.start("bench_upstream", &[&upstream.to_string()]);
    let keys = bed.folder.path().join("keys");
    let mut plane = bed.start(
        "bench_control_plane",
        &[
            &bed.control_plane.to_string(),
            &upstream.to_string(),
            &credentials.to_string(),
            keys.to_str().expect("a path"),
        ],
    );
    answers(bed.control_plane, "").await;
    let (edge, from_control_plane) = bed.start_edge().await;
    let memory = resident(edge.0.id());
    let questions: Vec<_> = fs::read_to_string(&keys)
        .expect("keys")
        .lines()
        .map(|key| (Question::chat(key, MODEL), 200))
        .collect();
    // Once, so that neither of the two comes to a cold edge.
    bed.requests(&questions, rate, lasting / 4).await;
    let quiet = bed.requests(&questions, rate, lasting).await;
    let before = position(&bed, &questions).await;
    let told = format!("{changes} {}\n", lasting.as_secs());
    let stdin = plane.0.stdin.as_mut().expect("its input");
    stdin.write_all(told.as_bytes()).expect("told");
    let beside = bed.requests(&questions, rate, lasting).await;
    let after = position(&bed, &questions).await;
    let state = bed.folder.path().join("edge/state/journal");
    eventually("the state on the disk", async || {
        state.exists().then_some(()).ok_or("none")
    })
    .await;
    drop(edge);
    drop(plane);
    let (_edge, from_disk) = bed.start_edge().await;
    Large {
        from_control_plane,
        from_disk,
        memory,
        requests: [quiet, beside],
        changes: after - before,
    }
}

impl Bed {
    fn new() -> Self {
        let made = Command::new(place::binary("turnpike"))
            .args(["keyring", "generate"])
            .output();
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            keyring: String::from_utf8(made.expect("a keyring").stdout)
                .expect("text")
                .trim()
                .to_owned(),
            control_plane: free(),
            edge: free(),
            operations: free(),
        }
    }

    fn start(&self, binary: &str, arguments: &[&str]) -> Started {
        let log = log(self.folder.path(), binary);
        let child = Command::new(place::binary(binary))
            .args(arguments)
            .env("TURNPIKE_KEYRING", &self.keyring)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        Started(child.expect("a process"))
    }

    async fn start_edge(&self) -> (Started, Duration) {
        let begun = Instant::now();
        let edge = self.start(
            "turnpike-edge",
            &[
                "--control-plane",
                &format!("http://{}", self.control_plane),
                "--data-dir",
                self.folder.path().join("edge").to_str().expect("a path"),
                "--name",
                "large",
                "--listen",
                &self.edge.to_string(),
                "--operations-listen",
                &self.operations.to_string(),
            ],
        );
        answers(self.operations, "/readyz").await;
        (edge, begun.elapsed())
    }

    async fn requests(&self, questions: &[(Question, u16)], rate: u32, lasting: Duration) -> Flowed {
        let flow = Flow::begin(&[self.edge], questions, rate).await;
        tokio::time::sleep(lasting).await;
        flow.end().await
    }
}

/// The position that requests are judged at, as the edge says itself.
async fn position(bed: &Bed, questions: &[(Question, u16)]) -> u64 {
    let (question, _) = questions.first().expect("a key");
    let answer = http()
        .get(format!("http://{}/v1/models", bed.edge))
        .bearer_auth(&question.key)
        .send();
    let answer = answer.await.expect("an answer");
    let header = answer.headers().get("x-turnpike-position").expect("a position");
    header.to_str().expect("text").parse().expect("a number")
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("an HTTP client")
}

fn log(folder: &Path, name: &str) -> fs::File {
    let path = folder.join(format!("{name}.log"));
    fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .expect("a log")
}

fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

/// Waits until something listens there and, where a path is given, answers it with 200.
async fn answers(address: SocketAddr, path: &str) {
    let end = Instant::now() + PATIENCE;
    let http = http();
    loop {
        let there = match path {
            "" => tokio::net::TcpStream::connect(address).await.is_ok(),
            path => {
                let asked = http.get(format!("http://{address}{path}")).send().await;
                asked.is_ok_and(|answer| answer.status().is_success())
            }
        };
        if there {
            return;
        }
        assert!(Instant::now() < end, "nothing answers at {address}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("its memory");
    let kib: u64 = line
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    kib / 1024
}
