//! How long a revocation takes to the last edge, and whether any edge accepts the key after the receipt: on Postgres, NATS, a
//! control plane and edges of its own, while requests flow.
//!
//! `bench_propagation REVOCATIONS EDGES`, started by `tests/bench/propagation`. Prints one JSON object. Whatever it says of
//! times is of this machine at this moment.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement ends when something fails, and prints what it found"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use turnpike_proto::admin::v1::{
    ChangeCredentialRequest, CreateCredentialRequest, Wait, WriteOptions,
    credential_service_client::CredentialServiceClient,
};
use turnpike_tests::{
    caller::Caller,
    ground::Key,
    production::{Plan, Production},
};

/// Commands under way at once while keys are made.
const AT_ONCE: usize = 64;
/// Callers of the load, for each edge.
const CALLERS: usize = 2;
const OWNER: &str = "virtual-account:measured";

type Client = CredentialServiceClient<InterceptedService<Channel, Bearer>>;

/// Says who asks.
#[derive(Clone)]
struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = format!("Bearer {}", self.0).parse().expect("a key");
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }
}

/// Times in microseconds, as they came.
#[derive(Default)]
struct Times(Vec<u64>);

impl Times {
    fn add(&mut self, took: Duration) {
        self.0.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    fn report(mut self) -> Value {
        self.0.sort_unstable();
        let at = |share: f64| {
            let last = self.0.len().saturating_sub(1);
            self.0
                .get((last as f64 * share).round() as usize)
                .map(|micros| *micros as f64 / 1e3)
        };
        json!({"count": self.0.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)})
    }
}

/// Requests that flow meanwhile, with a key that stays.
struct Load {
    done: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    callers: JoinSet<Times>,
}

impl Load {
    fn on(production: &Production, key: &Key) -> Self {
        let mut load = Self {
            done: Arc::default(),
            failed: Arc::default(),
            callers: JoinSet::new(),
        };
        for caller in production
            .callers(key)
            .into_iter()
            .cycle()
            .take(CALLERS * production.edges.len())
        {
            let (done, failed) = (load.done.clone(), load.failed.clone());
            load.callers.spawn(async move {
                let mut times = Times::default();
                while !done.load(SeqCst) {
                    let begun = Instant::now();
                    if caller.chat("fake-openai/gpt-4o").await.status != 200 {
                        failed.fetch_add(1, SeqCst);
                    }
                    times.add(begun.elapsed());
                }
                times
            });
        }
        load
    }

    async fn end(mut self) -> Value {
        self.done.store(true, SeqCst);
        let mut all = Times::default();
        while let Some(times) = self.callers.join_next().await {
            all.0.extend(times.expect("a caller").0);
        }
        let mut report = all.report();
        report["failed"] = self.failed.load(SeqCst).into();
        report
    }
}

async fn status(caller: &Caller) -> u16 {
    let request = caller.request(Method::GET, "/v1/models");
    request.send().await.expect("an answer").status().as_u16()
}

/// Makes keys, many at once: how long each command took, and how many there were in a second.
async fn make_keys(client: &Client, count: usize) -> (Vec<Key>, Value) {
    let begun = Instant::now();
    let made = stream::iter(0..count).map(|_| {
        let mut client = client.clone();
        async move {
            let begun = Instant::now();
            let request = CreateCredentialRequest {
                owner: OWNER.to_owned(),
                ..Default::default()
            };
            let made = client.create(request).await.expect("a key").into_inner();
            let key = Key {
                text: made.key,
                id: made.credential.expect("a credential").id,
                owner: OWNER.to_owned(),
            };
            (key, begun.elapsed())
        }
    });
    let made: Vec<_> = made.buffer_unordered(AT_ONCE).collect().await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let mut times = Times::default();
    made.iter().for_each(|(_, took)| times.add(*took));
    let mut report = times.report();
    report["a_second"] = rate.round().into();
    (made.into_iter().map(|(key, _)| key).collect(), report)
}

/// Asks an edge until it refuses the key; how long after `begun` it did.
async fn refused(caller: Caller, begun: Instant) -> Duration {
    while status(&caller).await != 401 {}
    begun.elapsed()
}

/// What was found of revocations.
#[derive(Default)]
struct Found {
    last_edge: Times,
    receipt: Times,
    accepted_after: u64,
    not_applied: u64,
}

impl Found {
    async fn revoke(&mut self, production: &Production, client: &mut Client, key: &Key) {
        let mut edges = JoinSet::new();
        for caller in production.callers(key) {
            assert_eq!(status(&caller).await, 200, "a key that is good");
        }
        let begun = Instant::now();
        for caller in production.callers(key) {
            edges.spawn(refused(caller, begun));
        }
        let request = ChangeCredentialRequest {
            id: key.id.clone(),
            options: Some(WriteOptions {
                wait: Wait::Applied.into(),
                deadline_ms: 10_000,
                keep_receipt: false,
            }),
            ..Default::default()
        };
        let answer = client.revoke(request).await.expect("a receipt").into_inner();
        self.receipt.add(begun.elapsed());
        self.not_applied += u64::from(!answer.receipt.expect("a receipt").applied);
        for caller in production.callers(key) {
            self.accepted_after += u64::from(status(&caller).await == 200);
        }
        let mut last = Duration::ZERO;
        while let Some(took) = edges.join_next().await {
            last = last.max(took.expect("an edge"));
        }
        self.last_edge.add(last);
    }
}

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"))
        .collect();
    let (revocations, edges) = (numbers[0], numbers[1].clamp(1, 5));
    let plan = Plan {
        regions: ["eu", "us", "ap", "sa", "af"][..edges].to_vec(),
        ..Plan::default()
    };
    let production = Production::start_as(plan).await;
    let load_key = production.granted("busy").await;
    production.granted("measured").await;
    let url = format!("http://{}", production.to_control_plane.address);
    let channel = Channel::from_shared(url)
        .expect("a URL")
        .connect()
        .await
        .expect("the control plane");
    let mut client =
        CredentialServiceClient::with_interceptor(channel, Bearer(production.admin.token().to_owned()));
    let (keys, commands) = make_keys(&client, revocations).await;
    production.admin.json(&["edge", "wait"]).await;
    let load = Load::on(&production, &load_key);
    let mut found = Found::default();
    for key in &keys {
        found.revoke(&production, &mut client, key).await;
    }
    let report = json!({
        "edges": edges,
        "commands": commands,
        "asked_to_refused_at_the_last_edge": found.last_edge.report(),
        "asked_to_receipt": found.receipt.report(),
        "accepted_after_the_receipt": found.accepted_after,
        "not_applied_in_time": found.not_applied,
        "requests_meanwhile": load.end().await,
    });
    println!("{report:#}");
}
