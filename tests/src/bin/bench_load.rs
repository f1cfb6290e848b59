//! Requests over so many connections, each sending its next request when the last is answered: at once, or at a given rate.
//!
//! `bench_load URL CONNECTIONS REQUESTS EXPECTED_STATUS KEYS_FILE BODY RATE`: each request carries the next key of the
//! file; the rate is in requests a second, 0 means as fast as they are answered. Prints one JSON object; every answer that
//! is not as expected is counted in `unexpected`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::mpsc};
use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Plan {
    uri: Uri,
    requests: usize,
    expected: u16,
    keys: Vec<String>,
    body: Bytes,
    /// Between two requests of all connections together; zero: no pause.
    pace: Duration,
    started: Instant,
    next: AtomicUsize,
    unexpected: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [uri, connections, requests, expected, keys, body, rate] = arguments.as_slice() else {
        return Err("usage: bench_load URL CONNECTIONS REQUESTS EXPECTED_STATUS KEYS_FILE BODY RATE".into());
    };
    let plan = Arc::new(Plan {
        uri: uri.parse()?,
        requests: requests.parse()?,
        expected: expected.parse()?,
        keys: std::fs::read_to_string(keys)?
            .lines()
            .map(str::to_owned)
            .collect(),
        body: Bytes::from(body.clone()),
        pace: match rate.parse::<u32>()? {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        },
        started: Instant::now(),
        next: AtomicUsize::new(0),
        unexpected: AtomicU64::new(0),
    });
    let tasks = Tasks::new(Shutdown::new());
    let (sender, mut receiver) = mpsc::channel(1024);
    for _ in 0..connections.parse::<usize>()? {
        let (plan, sender, tasks_too) = (plan.clone(), sender.clone(), tasks.clone());
        tasks.spawn("client", async move {
            if let Err(error) = client(&plan, &sender, &tasks_too).await {
                plan.unexpected.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "a connection broke");
            }
        });
    }
    drop(sender);
    let mut latencies = Vec::with_capacity(plan.requests);
    while let Some(latency) = receiver.recv().await {
        latencies.push(latency);
    }
    report(&plan, &mut latencies, plan.started.elapsed());
    Ok(())
}

async fn client(plan: &Plan, sender: &mpsc::Sender<Duration>, tasks: &Tasks) -> Result<(), Failure> {
    let authority = plan.uri.authority().ok_or("the URL has no host")?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    stream.set_nodelay(true)?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tasks.spawn("connection", async move { drop(connection.await) });
    loop {
        let number = plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= plan.requests {
            return Ok(());
        }
        let key = plan
            .keys
            .get(number % plan.keys.len().max(1))
            .map_or("", String::as_str);
        let request = Request::post(plan.uri.path())
            .header("host", authority.as_str())
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {key}"))
            .body(Full::new(plan.body.clone()))?;
        if !plan.pace.is_zero() {
            let turn = plan.pace * u32::try_from(number)?;
            tokio::time::sleep_until((plan.started + turn).into()).await;
        }
        let begun = Instant::now();
        let response = requests.send_request(request).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await?;
        sender.send(begun.elapsed()).await?;
        if status != plan.expected {
            plan.unexpected.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn report(plan: &Plan, latencies: &mut [Duration], elapsed: Duration) {
    latencies.sort_unstable();
    let at = |share: usize| {
        latencies
            .get(latencies.len() * share / 100)
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e6
    };
    let report = serde_json::json!({
        "requests": latencies.len(),
        "unexpected": plan.unexpected.load(Ordering::Relaxed),
        "seconds": elapsed.as_secs_f64(),
        "p50_us": at(50),
        "p99_us": at(99),
    });
    println!("{report}");
}
