//! Commands through a real control plane, and how long revocations take to the last edge.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, future::join_all, stream};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use turnpike_proto::admin::v1::{
    ChangeCredentialRequest, CreateCredentialRequest, Wait, WriteOptions,
    credential_service_client::CredentialServiceClient,
};
use turnpike_runtime::clock;

use super::{
    line::{Line, Question},
    times::Times,
};
use crate::{ground::Key, production::Production};

/// Whose keys are made.
pub const OWNER: &str = "virtual-account:measured";

/// The control plane's credentials, as the administrator of `dev`.
pub type Client = CredentialServiceClient<InterceptedService<Channel, Bearer>>;

/// Says who asks.
#[derive(Clone)]
pub struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let bearer = format!("Bearer {}", self.0).parse().expect("a key");
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }
}

/// A connection to the control plane itself, and none through the test.
pub async fn client(production: &Production) -> Client {
    let address = production.to_control_plane.leads_to().expect("a control plane");
    let channel = Channel::from_shared(format!("http://{address}")).expect("a URL");
    let channel = channel.connect().await.expect("the control plane");
    CredentialServiceClient::with_interceptor(channel, Bearer(production.admin.token().to_owned()))
}

/// Makes keys, so many commands under way at once: how long each took, and how many there were in a second.
pub async fn make_keys(client: &Client, count: usize, at_once: usize) -> (Vec<Key>, Times, f64) {
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
    let made: Vec<_> = made.buffer_unordered(at_once).collect().await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let mut times = Times::default();
    made.iter().for_each(|(_, took)| times.add(*took));
    (made.into_iter().map(|(key, _)| key).collect(), times, rate)
}

/// What was found of revocations.
#[derive(Debug, Default)]
pub struct Found {
    /// From when the control plane says that it is committed until the last edge has refused.
    pub committed_to_refused: Times,
    /// From when it was asked for until then.
    pub asked_to_refused: Times,
    /// From when it was asked for until the receipt.
    pub asked_to_receipt: Times,
    /// Requests that were accepted after the receipt had come.
    pub accepted_after: u64,
    /// Receipts without an edge.
    pub not_applied: u64,
}

/// Two connections to each edge: one waits to be refused, one asks before and after.
pub struct Watchers(Vec<(Line, Line)>);

impl Watchers {
    /// Connects.
    pub async fn of(production: &Production) -> Self {
        let lines = production.edges.iter().map(async |edge| {
            let (one, other) = (Line::to(edge.data).await, Line::to(edge.data).await);
            (one, other)
        });
        Self(join_all(lines).await)
    }

    async fn count(&mut self, key: &Key, status: u16) -> u64 {
        let question = Question::models(&key.text);
        let asked = self.0.iter_mut().map(|(_, line)| line.ask(&question));
        let answers = join_all(asked).await;
        answers
            .into_iter()
            .map(|answer| u64::from(answer.expect("an answer") == status))
            .sum()
    }
}

impl Found {
    /// Revokes a key. Each edge holds a request that is to be judged at the next position, and so answers it at the very
    /// moment from which on it refuses the key; nobody asks in a circle and takes the processors away.
    pub async fn revoke(&mut self, watchers: &mut Watchers, client: &mut Client, key: &Key, next: &mut u64) {
        let edges = watchers.0.len() as u64;
        assert_eq!(watchers.count(key, 200).await, edges, "a key that is good");
        let request = ChangeCredentialRequest {
            id: key.id.clone(),
            options: Some(WriteOptions {
                wait: Wait::Applied.into(),
                deadline_ms: 10_000,
                keep_receipt: false,
            }),
            ..Default::default()
        };
        let asked = clock::now().as_micros();
        let refused = join_all(watchers.0.iter_mut().map(|(line, _)| refused(line, key, *next)));
        let revoked = async {
            let answer = client.revoke(request).await.expect("a receipt").into_inner();
            (answer.receipt.expect("a receipt"), clock::now().as_micros())
        };
        let (refused, (receipt, answered)) = tokio::join!(refused, revoked);
        let last = refused.into_iter().max().unwrap_or_default();
        let since =
            |from: i64, until: i64| Duration::from_micros(until.saturating_sub(from).max(0).unsigned_abs());
        self.committed_to_refused.add(since(receipt.committed_us, last));
        self.asked_to_refused.add(since(asked, last));
        self.asked_to_receipt.add(since(asked, answered));
        self.not_applied += u64::from(!receipt.applied);
        self.accepted_after += watchers.count(key, 200).await;
        *next = receipt.position + 1;
    }
}

/// When an edge refused the key, by this machine's clock. Where something else took the position, or the edge would not
/// wait any longer, it is asked again.
async fn refused(line: &mut Line, key: &Key, next: u64) -> i64 {
    let mut question = Question::models(&key.text);
    question.position = Some(next);
    loop {
        match line.ask(&question).await.expect("an answer") {
            401 => return clock::now().as_micros(),
            200 => question.position = question.position.map(|position| position + 1),
            503 => {}
            other => panic!("the answer is {other}"),
        }
    }
}
