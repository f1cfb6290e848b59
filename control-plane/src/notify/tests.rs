//! Alerts on their way: once for each destination, until they are taken, whoever sends and whatever restarts.

use std::sync::Mutex;

use axum::{
    Router,
    extract::State as Shared,
    http::{HeaderMap, StatusCode, Uri},
};
use tempfile::tempdir;
use turnpike_access::{
    alert::{
        Alert,
        destination::{Channel, Destination},
    },
    command::Command,
    id::Name,
};
use turnpike_runtime::{random, secret::Secret, shutdown::Shutdown, task::Tasks};

use super::*;
use crate::{
    execute::Authority,
    fixture::Core,
    store::{self, outbox::StoredDelivery},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Somebody who gets alerts: what was posted, and what the next are answered.
#[derive(Default)]
struct Receiver {
    refusals: Mutex<u32>,
    posted: Mutex<Vec<(String, HeaderMap, String)>>,
}

impl Receiver {
    async fn start() -> (Arc<Self>, String) {
        let this = Arc::new(Self::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(Self::take).with_state(this.clone());
        Tasks::new(Shutdown::new()).spawn("receiver", async move {
            axum::serve(listener, router).await.unwrap();
        });
        (this, url)
    }

    async fn take(Shared(this): Shared<Arc<Self>>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
        let mut refusals = this.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let mut posted = this.posted.lock().unwrap();
        posted.push((uri.path().to_owned(), headers, body));
        StatusCode::ACCEPTED
    }

    fn posted(&self) -> Vec<(String, HeaderMap, String)> {
        self.posted.lock().unwrap().clone()
    }
}

struct Bed {
    core: Core,
    keyring: Arc<Keyring>,
}

impl Bed {
    async fn new(folder: &std::path::Path) -> Self {
        let core = Core::in_folder(folder).await;
        core.bootstrap().await;
        let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
        let bed = Self { core, keyring };
        // Where the outbox begins.
        bed.notify().await.pass(clock::now()).await;
        bed
    }

    async fn notify(&self) -> Notify {
        Notify {
            executor: self.core.executor.clone(),
            events: self.core.store.clone(),
            outbox: store::connect(&self.core.url).await.unwrap().outbox,
            keyring: self.keyring.clone(),
            fetcher: Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new()).unwrap(),
            mail: None,
        }
    }

    async fn ask(&self, command: Command) {
        let asked = self
            .core
            .ask(Authority::System("test"), "platform", vec![command]);
        asked.await.unwrap();
    }

    async fn destination(&self, name: &str, channel: Channel, secret: &str, kinds: &[&str]) {
        let name: Name = name.parse().unwrap();
        let purpose = purpose(&Name::platform(), &name);
        let sealed = self.keyring.seal(&purpose, secret.as_bytes()).unwrap();
        let destination = Destination {
            channel,
            sealed_secret: Some(sealed.to_string().into()),
            kinds: kinds.iter().map(|kind| kind.parse().unwrap()).collect(),
        };
        let destination = Box::new(destination);
        self.ask(Command::SetAlertDestination { name, destination }).await;
    }

    async fn raise(&self, kind: &str, subject: &str) -> turnpike_access::id::Id {
        let id = random::id();
        self.ask(Command::RaiseAlert(Alert {
            id,
            kind: kind.into(),
            subject: Some(subject.into()),
            credential: None,
            summary: format!("{subject} <did> something.").into(),
            count: Some(40),
            audit: vec!["edge-1/1/7".into()],
            evidence: Default::default(),
        }))
        .await;
        id
    }

    async fn listed(&self) -> Vec<StoredDelivery> {
        let notify = self.notify().await;
        let end = Position::new(u64::MAX);
        let platform = Name::platform();
        let all = notify.outbox.deliveries(&platform, None, end, 100).await;
        all.unwrap()
    }
}

fn webhook(url: &str) -> Channel {
    Channel::Webhook { url: url.into() }
}

#[tokio::test]
async fn an_alert_goes_to_each_destination_once_signed_in_its_format_whoever_sends() {
    let folder = tempdir().unwrap();
    let bed = Bed::new(folder.path()).await;
    let (receiver, url) = Receiver::start().await;
    bed.destination("hook", webhook(&format!("{url}/hook")), SECRET, &[])
        .await;
    bed.destination("chat", Channel::Slack {}, &format!("{url}/chat"), &["refus*"])
        .await;
    let otlp = Channel::Otlp {
        url: format!("{url}/v1/logs").into(),
    };
    bed.destination("logs", otlp, "token-1", &["refusals"]).await;
    let id = bed.raise("refusals", "user:alice").await;
    bed.raise("usage_spike", "user:bob").await;
    bed.ask(Command::ResolveAlert {
        id,
        count: Some(77),
        reason: "it is over".into(),
    })
    .await;
    let (one, other) = (bed.notify().await, bed.notify().await);
    let now = clock::now();
    tokio::join!(one.pass(now), other.pass(now));
    one.pass(now.plus_seconds(100)).await;
    let posted = receiver.posted();
    let to = |path: &str| posted.iter().filter(|(at, ..)| at == path).count();
    assert_eq!((to("/hook"), to("/chat"), to("/v1/logs")), (3, 2, 2));
    for (_, headers, body) in posted.iter().filter(|(at, ..)| at == "/hook") {
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let seconds: i64 = text("webhook-timestamp").parse().unwrap();
        let signed = super::webhook::signed(
            &text("webhook-id"),
            Timestamp::from_micros(seconds * 1_000_000),
            body,
            &Secret::new(SECRET),
        );
        assert_eq!(signed.unwrap()["webhook-signature"], text("webhook-signature"));
    }
    let bodies: Vec<serde_json::Value> = posted
        .iter()
        .filter(|(at, ..)| at == "/hook")
        .map(|(_, _, body)| serde_json::from_str(body).unwrap())
        .collect();
    let end = bodies
        .iter()
        .find(|body| body["type"] == "alert.resolved")
        .unwrap();
    assert_eq!(
        (&end["alert"]["id"], &end["resolved"]["count"]),
        (&id.to_string().into(), &77.into())
    );
    assert_eq!(end["alert"]["audit"][0], "edge-1/1/7");
    let chat = posted.iter().find(|(at, ..)| at == "/chat").unwrap();
    assert!(chat.2.contains("user:alice &lt;did&gt; something."), "{}", chat.2);
    let logs = posted.iter().find(|(at, ..)| at == "/v1/logs").unwrap();
    assert_eq!(logs.1["authorization"], "Bearer token-1");
    let record = serde_json::from_str::<serde_json::Value>(&logs.2).unwrap();
    let record = &record["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"]["stringValue"], "user:alice <did> something.");
    assert!(bed.listed().await.iter().all(|one| one.state == State::Sent));
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_ever_more_rarely_and_listed_as_dead_in_the_end() {
    let folder = tempdir().unwrap();
    let bed = Bed::new(folder.path()).await;
    let (receiver, url) = Receiver::start().await;
    *receiver.refusals.lock().unwrap() = 2;
    bed.destination("hook", webhook(&url), SECRET, &[]).await;
    bed.destination("inside", webhook("https://10.0.0.1/"), SECRET, &[])
        .await;
    bed.raise("refusals", "user:alice").await;
    let now = clock::now();
    for seconds in [0, 5, 10, 20, 29, 30, 40] {
        // Each time another control plane, or one that was restarted.
        bed.notify().await.pass(now.plus_seconds(seconds)).await;
    }
    let listed = bed.listed().await;
    let of = |name: &str| {
        listed
            .iter()
            .find(|one| one.delivery.destination.as_str() == name)
            .unwrap()
    };
    assert_eq!((of("hook").state, of("hook").delivery.attempts), (State::Sent, 3));
    assert_eq!(receiver.posted().len(), 1);
    assert_eq!(of("inside").state, State::Waiting);
    let error = of("inside").error.as_deref().unwrap();
    assert!(error.contains("no address inside"), "{error}");
    for hour in 1..60 {
        bed.notify().await.pass(now.plus_seconds(hour * 3600)).await;
    }
    let listed = bed.listed().await;
    let dead = listed.iter().find(|one| one.state == State::Dead).unwrap();
    assert_eq!(dead.delivery.destination.as_str(), "inside");
    assert_eq!(dead.delivery.attempts, TRIES);
}

#[tokio::test]
async fn what_is_silenced_or_was_before_the_destination_is_sent_to_nobody() {
    let folder = tempdir().unwrap();
    let bed = Bed::new(folder.path()).await;
    let (receiver, url) = Receiver::start().await;
    let id = bed.raise("refusals", "user:alice").await;
    bed.notify().await.pass(clock::now()).await;
    bed.destination("hook", webhook(&url), SECRET, &[]).await;
    bed.ask(Command::SilenceAlert {
        id,
        until: clock::now().plus_seconds(3600),
        reason: "a migration".into(),
    })
    .await;
    let resolve = |id| Command::ResolveAlert {
        id,
        count: None,
        reason: "over".into(),
    };
    bed.ask(resolve(id)).await;
    let again = bed.raise("refusals", "user:alice").await;
    bed.ask(resolve(again)).await;
    bed.raise("refusals", "user:bob").await;
    bed.notify().await.pass(clock::now()).await;
    let posted = receiver.posted();
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert!(posted[0].2.contains("user:bob"));
}
