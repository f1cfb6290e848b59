//! Somebody has taken NATS over, and publishes there whatever may do harm: what was published before, again and out of order;
//! messages that were altered, cut or signed with another key; and rubbish. Edges end at Postgres' state all the same, and never
//! step back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use futures::StreamExt as _;
use prost::Message as _;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use turnpike_access::log::Recorded;
use turnpike_proto::sync::{
    self,
    v1::{Batch, Signed, signed::Kind},
};
use turnpike_runtime::{
    bus::{
        Bus as _,
        nats::{NatsBus, NatsSettings},
    },
    random,
    secret::Secret,
    signing::SigningKey,
};
use turnpike_tests::{eventually::eventually, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";
/// Changes that are made meanwhile.
const CHANGES: usize = 12;

/// What the intruder has heard and done.
#[derive(Default)]
struct Intruder {
    done: AtomicBool,
    published: AtomicUsize,
}

impl Intruder {
    /// Answers each message with harm.
    async fn run(self: Arc<Self>, url: String) {
        let settings = NatsSettings {
            url: Some(Secret::new(url)),
            ..NatsSettings::default()
        };
        let bus = NatsBus::connect(&settings, "intruder").await.unwrap().unwrap();
        let own = SigningKey::generate().unwrap();
        let mut heard = bus.subscribe().await.unwrap();
        let mut kept: Vec<Signed> = Vec::new();
        while !self.done.load(SeqCst) {
            let Some(message) = heard.next().await else { return };
            let Ok(signed) = Signed::decode(message) else {
                continue;
            };
            // Its own messages come back; only what is new and genuine is worth keeping.
            let genuine = signed.key_id != own.id() && !signed.body.is_empty();
            if genuine && kept.last() != Some(&signed) && kept.len() < 200 {
                kept.push(signed.clone());
                for harm in harm(&own, &kept, &signed) {
                    // A server that is being wiped takes nothing.
                    if bus.publish_head(harm.into()).await.is_ok() {
                        self.published.fetch_add(1, SeqCst);
                    }
                }
            }
        }
    }
}

fn harm(own: &SigningKey, kept: &[Signed], signed: &Signed) -> Vec<Vec<u8>> {
    let any = |below: usize| usize::from(u16::from_le_bytes(random::bytes())) % below;
    let mut altered = signed.clone();
    if !altered.body.is_empty() {
        let at = any(altered.body.len());
        altered.body[at] ^= 1 << any(8);
    }
    let mut other_kind = signed.clone();
    other_kind.kind = if signed.kind == 1 { 2 } else { 1 };
    let mut unknown_kind = signed.clone();
    unknown_kind.kind = 77;
    let forged = own.sign(signed.kind(), signed.body.clone());
    let mut posing = forged.clone();
    posing.key_id.clone_from(&signed.key_id);
    let whole = signed.encode_to_vec();
    let mut harm = Vec::new();
    if let Some(next) = next(signed) {
        // What only a signature tells from the truth: it follows the log as well as what the control plane commits next.
        let mut posing = own.sign(Kind::Batch, next);
        harm.push(posing.encode_to_vec());
        posing.key_id.clone_from(&signed.key_id);
        harm.push(posing.encode_to_vec());
    }
    harm.extend([
        whole.clone(),
        kept[any(kept.len())].encode_to_vec(),
        kept[0].encode_to_vec(),
        altered.encode_to_vec(),
        other_kind.encode_to_vec(),
        unknown_kind.encode_to_vec(),
        forged.encode_to_vec(),
        posing.encode_to_vec(),
        whole[..any(whole.len())].to_vec(),
        random::bytes::<64>().to_vec(),
        Vec::new(),
    ]);
    harm
}

/// An event of the intruder's that follows the last one of a batch, in its chain.
fn next(signed: &Signed) -> Option<Vec<u8>> {
    let batch = Batch::decode(signed.body.as_slice())
        .ok()
        .filter(|_| signed.kind == 1)?;
    let last = sync::read_batch(batch).ok()?.pop()?;
    let mut origin = last.origin.clone();
    origin.actor = Arc::from("user:mallory");
    let event = Recorded::after(
        last.head(),
        origin,
        last.kind.clone(),
        last.version,
        last.payload.clone(),
    );
    Some(sync::batch([&event]).encode_to_vec())
}

async fn position(operations: std::net::SocketAddr) -> f64 {
    let text = reqwest::get(format!("http://{operations}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("turnpike_snapshot_position"));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Looks at an edge's position until `done`: it never steps back, and never goes where nothing is committed.
async fn stays_on_the_log(operations: std::net::SocketAddr, database: String, done: Arc<AtomicBool>) {
    let mut database = PgConnection::connect(&database).await.unwrap();
    let mut before = 0.0;
    while !done.load(SeqCst) {
        let now = position(operations).await;
        assert!(now >= before, "{now} after {before}");
        let committed = sqlx::query_scalar("SELECT position FROM turnpike.head");
        let committed: i64 = committed.fetch_one(&mut database).await.unwrap();
        assert!(now <= committed as f64, "{now} where the log ends at {committed}");
        before = now;
    }
}

#[tokio::test]
async fn whoever_has_taken_nats_over_can_change_nothing_at_any_edge() {
    let mut production = Production::start().await;
    let key = production.granted("steady").await;
    let (intruder, watched) = (Arc::new(Intruder::default()), Arc::new(AtomicBool::default()));
    let mut beside = JoinSet::new();
    beside.spawn(
        intruder
            .clone()
            .run(format!("nats://{}", production.to_nats.address)),
    );
    for edge in &production.edges {
        beside.spawn(stays_on_the_log(
            edge.operations,
            production.database.url.clone(),
            watched.clone(),
        ));
    }
    for change in 0..CHANGES {
        if change == CHANGES / 2 {
            // All that the stream held is gone, and positions begin anew there.
            production.to_nats.cut();
            production.nats.kill().await;
            production.nats.restart_empty().await;
            production.to_nats.connect(production.nats.address);
        }
        let (verb, expected) = if change % 2 == 0 {
            ("suspend", 401)
        } else {
            ("resume", 200)
        };
        production
            .admin
            .json(&["credential", verb, &key.id, "--wait"])
            .await;
        for caller in production.callers(&key) {
            assert_eq!(caller.chat(MODEL).await.status, expected, "after change {change}");
        }
    }
    eventually("harm enough", async || match intruder.published.load(SeqCst) {
        done if done >= 100 => Ok(()),
        done => Err(done),
    })
    .await;
    intruder.done.store(true, SeqCst);
    watched.store(true, SeqCst);
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    for caller in production.callers(&key) {
        assert_eq!(caller.chat(MODEL).await.status, 401);
    }
    all_are_at_the_head(&production).await;
    while let Some(ended) = beside.join_next().await {
        ended.unwrap();
    }
}

async fn all_are_at_the_head(production: &Production) {
    let edges = production.admin.words("edge list").await;
    for edge in edges.as_array().unwrap() {
        assert_eq!(
            (edge["lag"].as_u64(), edge["halted"].as_str()),
            (Some(0), None),
            "{edge}"
        );
    }
}
