//! Asking an issuer about an opaque token (RFC 7662): once at a time for each token, and remembered for a short while.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dashmap::{DashMap, mapref::entry::Entry};
use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use turnpike_access::{
    id::{Name, Timestamp},
    issuer::Verification,
    jws,
    log::Position,
    token::{Bearer, VerifiedToken},
};
use zeroize::Zeroizing;

use super::{
    TokenFailure,
    claims::Trusted,
    fetch::Fetcher,
    remember::{Digest, Epoch, Remembered, digest_of},
};
use crate::{
    keyring::{Keyring, Sealed},
    secret::Secret,
    task::Tasks,
};

/// How long an answer "active" is believed, in seconds.
const ACTIVE_SECONDS: i64 = 60;
/// How long any other answer is, in seconds.
const REFUSED_SECONDS: i64 = 10;
/// The most tokens that one issuer is asked about at a time.
pub(super) const AT_A_TIME: usize = 128;
/// The most tokens of one issuer that are under way, most of them waiting for their turn to be asked about. One more is
/// refused at once, so that an issuer that hangs holds up nobody else's.
pub(super) const UNDER_WAY: usize = 16 * 1024;
/// What RFC 3986 leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What an issuer's client secret is sealed for; it opens nowhere else.
pub fn issuer_purpose(tenant: &Name, issuer: &Name) -> String {
    format!("issuer:{tenant}/{issuer}")
}

type Outcome = Result<Arc<VerifiedToken>, TokenFailure>;

pub(super) struct Introspection {
    pub(super) fetcher: Fetcher,
    pub(super) keyring: Arc<Keyring>,
    pub(super) tasks: Tasks,
    pub(super) remembered: Arc<Remembered<Arc<VerifiedToken>>>,
    refused: Remembered<TokenFailure>,
    flights: DashMap<Digest, watch::Receiver<Option<Outcome>>>,
    lines: DashMap<(Name, Name), Line>,
    epoch: Epoch,
    /// How long a token may be under way.
    patience: Duration,
}

/// Where the tokens of one issuer wait for their turn.
#[derive(Clone)]
struct Line {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A token's place in the line. It ends with the flight.
struct Place {
    _place: OwnedSemaphorePermit,
    turns: Arc<Semaphore>,
}

/// A token and the issuer that is asked about it.
pub(super) struct Question {
    pub(super) text: Secret,
    /// Of the text.
    pub(super) digest: Digest,
    pub(super) trusted: Trusted,
}

impl Introspection {
    pub(super) fn new(
        fetcher: Fetcher,
        keyring: Arc<Keyring>,
        tasks: Tasks,
        remembered: Arc<Remembered<Arc<VerifiedToken>>>,
        bound: usize,
        patience: Duration,
    ) -> Self {
        Self {
            fetcher,
            keyring,
            tasks,
            remembered,
            refused: Remembered::new(bound),
            flights: DashMap::new(),
            lines: DashMap::new(),
            epoch: Epoch::default(),
            patience,
        }
    }

    /// What the issuer says about a token, remembered or asked for.
    pub(super) async fn ask(self: &Arc<Self>, question: Question, now: Timestamp) -> Outcome {
        // Under its issuer: what one issuer says of a token says nothing about another's answer.
        let Trusted { tenant, issuer } = &question.trusted;
        let key = digest_of(&[
            tenant.as_str().as_bytes(),
            issuer.name.as_str().as_bytes(),
            issuer.revision.to_string().as_bytes(),
            &question.digest,
        ]);
        let mut news = match self.flights.entry(key) {
            Entry::Occupied(flight) => flight.get().clone(),
            Entry::Vacant(place) => {
                if let Some(known) = self.known(&key, &question, now) {
                    return known;
                }
                let in_line = self
                    .line_up(&question.trusted)
                    .ok_or(TokenFailure::IssuerUnavailable)?;
                let (sender, receiver) = watch::channel(None);
                place.insert(receiver.clone());
                self.start(key, question, now, sender, in_line);
                receiver
            }
        };
        let outcome = news.wait_for(Option::is_some).await;
        outcome
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or(Err(TokenFailure::IssuerUnavailable))
    }

    /// Forgets what is only held for issuers that are there no more.
    pub(super) fn keep(&self, still: impl Fn(&(Name, Name)) -> bool) {
        self.lines.retain(|issuer, _| still(issuer));
    }

    /// What was answered while this one waited to ask.
    fn known(&self, key: &Digest, question: &Question, now: Timestamp) -> Option<Outcome> {
        if let Some(failure) = self.refused.find(key, now) {
            return Some(Err(failure));
        }
        let Trusted { tenant, issuer } = &question.trusted;
        let token = self.remembered.find(&question.digest, now)?;
        (token.tenant == *tenant && token.issuer == issuer.name && of_revision(&token, issuer.revision))
            .then_some(Ok(token))
    }

    fn line_up(&self, trusted: &Trusted) -> Option<Place> {
        let issuer = (trusted.tenant.clone(), trusted.issuer.name.clone());
        let line = self.lines.entry(issuer).or_insert_with(|| Line {
            places: Arc::new(Semaphore::new(UNDER_WAY)),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        });
        Some(Place {
            _place: line.places.clone().try_acquire_owned().ok()?,
            turns: line.turns.clone(),
        })
    }

    /// In a task of its own, so that whoever gave up waiting does not end it for the others.
    fn start(
        self: &Arc<Self>,
        key: Digest,
        question: Question,
        now: Timestamp,
        sender: watch::Sender<Option<Outcome>>,
        in_line: Place,
    ) {
        let this = Arc::clone(self);
        self.tasks.spawn("token introspection", async move {
            let _landing = Landing {
                flights: &this.flights,
                key,
            };
            let shutdown = this.tasks.shutdown().clone();
            let outcome = tokio::select! {
                outcome = timeout(this.patience, this.call_in_turn(&in_line, &question, now)) => outcome,
                () = shutdown.cancelled() => Ok(Err(TokenFailure::IssuerUnavailable)),
            };
            let outcome = outcome.unwrap_or(Err(TokenFailure::IssuerUnavailable));
            match &outcome {
                Ok(token) => {
                    this.remembered
                        .add(question.digest, token.clone(), token.expires, this.epoch.now())
                }
                Err(failure) if failure.is_unavailable() => {}
                Err(failure) => {
                    this.refused
                        .add(key, *failure, now.plus_seconds(REFUSED_SECONDS), this.epoch.now())
                }
            }
            sender.send_replace(Some(outcome));
        });
    }

    async fn call_in_turn(&self, in_line: &Place, question: &Question, now: Timestamp) -> Outcome {
        let turn = in_line.turns.acquire().await;
        let _turn = turn.map_err(|_| TokenFailure::IssuerUnavailable)?;
        self.call(question, now).await
    }

    async fn call(&self, question: &Question, now: Timestamp) -> Outcome {
        let trusted = &question.trusted;
        let (issuer, tenant) = (&trusted.issuer.name, &trusted.tenant);
        let unavailable = |problem: &dyn std::fmt::Display| {
            tracing::warn!(%tenant, %issuer, %problem, "an issuer can't be asked about a token");
            TokenFailure::IssuerUnavailable
        };
        let Verification::Introspection {
            url,
            client_id,
            sealed_secret,
        } = &trusted.profile().verification
        else {
            return Err(TokenFailure::IssuerUnknown);
        };
        let sealed: Sealed = sealed_secret.parse().map_err(|error| unavailable(&error))?;
        let secret = self.keyring.open(&issuer_purpose(tenant, issuer), &sealed);
        let secret = secret.map_err(|error| unavailable(&error))?.to_text();
        let secret = secret.ok_or_else(|| unavailable(&"its client secret is not text"))?;
        let authorization =
            basic(client_id, &secret).ok_or_else(|| unavailable(&"its client id is too long"))?;
        let token = utf8_percent_encode(question.text.expose(), FORM);
        let form = format!("token={token}&token_type_hint=access_token");
        let answer = self.fetcher.post_form(url, authorization, form).await;
        let answer = answer.map_err(|error| unavailable(&error))?;
        let answer = jws::object(&answer.body).map_err(|_| unavailable(&"the answer is not JSON"))?;
        match answer.get("active") {
            Some(Value::Bool(true)) => {
                let longest = now.plus_seconds(ACTIVE_SECONDS);
                trusted.introspected(&answer, now, longest).map(Arc::new)
            }
            Some(Value::Bool(false)) => Err(TokenFailure::Inactive),
            _ => Err(unavailable(
                &"the answer does not say whether the token is active",
            )),
        }
    }
}

fn of_revision(token: &VerifiedToken, held: Position) -> bool {
    matches!(token.bearer, Bearer::Foreign { revision, .. } if revision == held)
}

/// Ends a flight, however it went.
struct Landing<'f> {
    flights: &'f DashMap<Digest, watch::Receiver<Option<Outcome>>>,
    key: Digest,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.flights.remove(&self.key);
    }
}

/// `client_secret_basic` (RFC 6749, section 2.3.1): both parts are encoded as in a form before they are joined.
fn basic(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let [id, secret] = [id, secret.expose()].map(|part| utf8_percent_encode(part, FORM));
    let pair = Zeroizing::new(format!("{id}:{secret}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
