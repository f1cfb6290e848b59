//! The audit on its way to a sink: what waits, what is tried again, what is passed over and what is told.

use std::collections::VecDeque;

use axum::{
    Router,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use turnpike_access::{
    audit::sink::{Sink, Way},
    command::Command,
};
use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

use super::*;
use crate::{
    execute::Authority,
    fixture::Core,
    store::{self, contract::records::record, sink::Progress},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Somebody who takes rows: what was taken, and what the next messages are answered.
#[derive(Default)]
struct Receiver {
    answers: Mutex<VecDeque<StatusCode>>,
    taken: Mutex<Vec<(String, Vec<u64>)>>,
}

impl Receiver {
    async fn take(Shared(this): Shared<Arc<Self>>, headers: HeaderMap, body: String) -> StatusCode {
        let answer = this.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or(StatusCode::ACCEPTED);
        if answer.is_success() {
            let lines = body.lines().map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["tenant"], "platform", "{line}");
                line["sequence"].as_u64().unwrap()
            });
            let id = headers["webhook-id"].to_str().unwrap().to_owned();
            this.taken.lock().unwrap().push((id, lines.collect()));
        }
        answer
    }

    /// What came since it was last asked.
    fn taken(&self) -> Vec<(String, Vec<u64>)> {
        std::mem::take(&mut *self.taken.lock().unwrap())
    }

    fn answer(&self, answers: &[StatusCode]) {
        self.answers.lock().unwrap().extend(answers);
    }
}

struct Bed {
    core: Core,
    audit: Arc<dyn AuditStore>,
    sinks: Sinks,
    receiver: Arc<Receiver>,
    url: String,
    _folder: TempDir,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let receiver = Arc::new(Receiver::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            // An OTLP receiver that says that it dropped three.
            .route("/v1/logs", post(async || vec![0x0a, 2, 0x08, 3]))
            .fallback(Receiver::take)
            .with_state(receiver.clone());
        Tasks::new(Shutdown::new()).spawn("receiver", async move {
            axum::serve(listener, router).await.unwrap();
        });
        let audit = store::connect(&core.url).await.unwrap().audit;
        let sinks = Sinks::new(
            core.projection.clone(),
            audit.clone(),
            Arc::new(Keyring::parse(&Keyring::generate()).unwrap()),
            (
                Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new()).unwrap(),
                Dialer::new(Vec::new()),
            ),
        );
        Self {
            core,
            audit,
            sinks,
            receiver,
            url,
            _folder: folder,
        }
    }

    async fn set(&self, since: Option<i64>) {
        let url = format!("{}/rows", self.url).into();
        self.set_way(Way::Webhook { url }, since).await;
    }

    async fn set_way(&self, way: Way, since: Option<i64>) {
        let name: Name = "siem".parse().unwrap();
        let purpose = purpose(&Name::platform(), &name);
        let sealed = self.sinks.keyring.seal(&purpose, SECRET.as_bytes()).unwrap();
        let sink = Box::new(Sink {
            way,
            sealed_secret: Some(sealed.to_string().into()),
            since: since.map(Timestamp::from_micros),
        });
        let command = Command::SetAuditSink { name, sink };
        let asked = self
            .core
            .ask(Authority::System("test"), "platform", vec![command]);
        asked.await.unwrap();
    }

    /// Keeps the platform's records of these sequences, one record of another tenant after them.
    async fn keep(&self, epoch: u64, first: u64, last: u64) {
        let mut records: Vec<_> = (first..=last)
            .map(|sequence| record("platform", sequence.cast_signed()))
            .collect();
        records.push(record("other", 99));
        self.audit.insert("edge-1", epoch, first, &records).await.unwrap();
    }

    async fn progress(&self) -> Progress {
        let snapshot = self.core.projection.snapshot();
        let tenant = snapshot.tenant("platform").unwrap();
        let made = tenant.sinks().values().next().unwrap().made;
        self.audit.sink_progress(made).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn rows_behind_sequences_that_are_not_there_wait_for_them_and_go_on_without_them_in_the_end() {
    let mut bed = Bed::new().await;
    bed.set(None).await;
    bed.keep(7, 1, 3).await;
    bed.keep(7, 6, 8).await;
    bed.sinks.pass().await;
    bed.sinks.pass().await;
    let first = ("edge-1.7.1-3".to_owned(), vec![1, 2, 3]);
    assert_eq!(bed.receiver.taken(), [first]);
    // The other tenant's record is at 4.
    bed.keep(7, 5, 5).await;
    bed.sinks.pass().await;
    assert_eq!(
        bed.receiver.taken(),
        [("edge-1.7.5-8".to_owned(), vec![5, 6, 7, 8])]
    );
    assert_eq!(bed.progress().await.missing, 0);

    bed.keep(7, 13, 14).await;
    bed.sinks.pass().await;
    assert_eq!(bed.receiver.taken(), []);
    bed.sinks.patience = Duration::ZERO;
    bed.sinks.pass().await;
    assert_eq!(
        bed.receiver.taken(),
        [("edge-1.7.13-14".to_owned(), vec![13, 14])]
    );
    assert_eq!(bed.progress().await.missing, 3, "10 to 12");
    bed.keep(7, 16, 17).await;
    bed.sinks.pass().await;
    assert_eq!(
        bed.receiver.taken(),
        [("edge-1.7.16-17".to_owned(), vec![16, 17])],
        "behind what was passed over"
    );
    assert_eq!(bed.progress().await.missing, 3);
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_later_or_at_once_when_the_sink_is_set_again() {
    let bed = Bed::new().await;
    bed.set(None).await;
    bed.keep(7, 1, 5).await;
    bed.receiver.answer(&[StatusCode::SERVICE_UNAVAILABLE; 2]);
    bed.sinks.pass().await;
    let progress = bed.progress().await;
    assert_eq!(
        (progress.attempts, progress.taken, progress.error.as_deref()),
        (1, None, Some("the server answered 503 Service Unavailable"))
    );
    let wait = progress.due.unwrap().as_micros() - clock::now().as_micros();
    assert!((0..=10_000_000).contains(&wait), "{wait}");
    bed.sinks.pass().await;
    assert_eq!(bed.progress().await.attempts, 1, "it is not due");
    bed.set(Some(2)).await;
    bed.sinks.pass().await;
    assert_eq!(bed.progress().await.attempts, 1, "it was tried once more");
    bed.set(Some(3)).await;
    bed.sinks.pass().await;
    let from_there = ("edge-1.7.3-5".to_owned(), vec![3, 4, 5]);
    assert_eq!(bed.receiver.taken(), [from_there]);
    let progress = bed.progress().await;
    assert_eq!((progress.attempts, progress.error), (0, None));
    assert!(progress.taken.is_some());
}

#[tokio::test]
async fn a_receiver_that_takes_less_at_once_is_sent_less_and_a_new_sink_of_the_name_gets_all_again() {
    let bed = Bed::new().await;
    bed.set(None).await;
    bed.keep(7, 1, 5).await;
    bed.receiver.answer(&[StatusCode::PAYLOAD_TOO_LARGE; 2]);
    bed.sinks.pass().await;
    let taken = bed.receiver.taken();
    let parts: Vec<&[u64]> = taken.iter().map(|(_, rows)| rows.as_slice()).collect();
    assert_eq!(parts, [&[1][..], &[2, 3, 4, 5]]);
    let name: Name = "siem".parse().unwrap();
    let delete = Command::DeleteAuditSink { name };
    let asked = bed.core.ask(Authority::System("test"), "platform", vec![delete]);
    asked.await.unwrap();
    bed.sinks.pass().await;
    bed.set(None).await;
    bed.sinks.pass().await;
    assert_eq!(
        bed.receiver.taken(),
        [("edge-1.7.1-5".to_owned(), vec![1, 2, 3, 4, 5])]
    );
}

#[tokio::test]
async fn what_an_otlp_receiver_takes_and_drops_is_counted_and_not_sent_again() {
    let bed = Bed::new().await;
    let url = format!("{}/v1/logs", bed.url).into();
    bed.set_way(Way::Otlp { url }, None).await;
    bed.keep(7, 1, 5).await;
    bed.sinks.pass().await;
    bed.sinks.pass().await;
    let progress = bed.progress().await;
    assert_eq!((progress.rejected, progress.error), (3, None));
    assert!(progress.taken.is_some());
}
