//! The audit record: what is known of one request when it ends, whether it was allowed or refused.
//!
//! A record holds no secret and no content of prompts or answers. It is identified by where it was made:
//! `(edge, epoch, sequence)`, gapless within an epoch, so that a missing one shows.

use std::{fmt, net::IpAddr, sync::Arc};

use crate::{
    id::{Id, Timestamp},
    token::{Bearer, VerifiedToken},
};

pub mod chain;
pub mod retired;
pub mod settings;
pub mod sink;
pub mod walk;

/// The longest text of a claim or a token's id that is recorded, in bytes.
const TEXT_LIMIT: usize = 200;
/// The most groups of a token that are recorded.
const GROUPS_LIMIT: usize = 64;
/// The most bytes that the recorded groups of a token take together.
const GROUPS_BYTES: usize = 4096;

/// Where a record was made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditId {
    /// The edge's name.
    pub edge: Arc<str>,
    /// One uninterrupted run of one spool lane of that edge; never used twice.
    pub epoch: u64,
    /// From 1, gapless within the epoch.
    pub sequence: u64,
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            edge,
            epoch,
            sequence,
        } = self;
        write!(f, "{edge}/{epoch}/{sequence}")
    }
}

/// Allowed or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The request was sent to a provider, or answered by the edge itself.
    Allowed,
    /// The request was refused; nothing was sent.
    Refused,
}

/// Token counts as the provider reported them. `None` is "not reported", which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens.
    pub input: Option<u64>,
    /// Completion tokens.
    pub output: Option<u64>,
    /// Prompt tokens read from a cache; included in `input`.
    pub cached: Option<u64>,
    /// Tokens spent on reasoning; included in `output`.
    pub reasoning: Option<u64>,
}

/// Whom a request counts for, and what it cost, as known at the edge that decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Billing {
    /// The first of the principal's teams.
    pub team: Option<Arc<str>>,
    /// By the model's prices at [`AuditRecord::position`], in billionths of a US dollar; `None` is "not known".
    pub cost_nanos: Option<u64>,
    /// What a substitute saved, likewise; see [`crate::charge::saved_nanos`].
    pub saved_nanos: Option<i64>,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ending {
    /// The whole response was passed on.
    #[default]
    Complete,
    /// The client went away before the end.
    ClientGone,
    /// The provider broke off, or went silent, after the response had begun.
    UpstreamBroke,
    /// The edge was told to stop before the end.
    Drained,
    /// What had opened it was revoked before the end.
    Revoked,
    /// The edge died before the end was recorded; what is known is what was on disk before the answer began.
    EdgeLost,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Complete,
        Self::ClientGone,
        Self::UpstreamBroke,
        Self::Drained,
        Self::Revoked,
        Self::EdgeLost,
    ];

    /// One word for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamBroke => "upstream_broke",
            Self::Drained => "drained",
            Self::Revoked => "revoked",
            Self::EdgeLost => "edge_lost",
        }
    }

    /// What the word says.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == word)
    }
}

/// What the caller's verified token brought. Whatever it says has been proven, whether or not it opened anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// The issuer's name in the tenant; [`crate::issuer::OWN`] for Turnpike's own tokens.
    pub issuer: Arc<str>,
    /// The text by which the principal was found, such as the subject or the e-mail address, cut at 200 bytes.
    pub claim: Arc<str>,
    /// The groups that it carries, as `issuer/value`: at most 64 of them and 4096 bytes.
    pub groups: Vec<Arc<str>>,
    /// Whether it carries more groups than are recorded.
    pub groups_cut: bool,
    /// `jti`, cut at 200 bytes.
    pub id: Option<Arc<str>>,
}

impl TokenFacts {
    /// What is recorded of a token.
    pub fn of(token: &VerifiedToken) -> Self {
        let claim = match &token.bearer {
            Bearer::Foreign { claim, .. } => claim,
            Bearer::Own { .. } => &token.subject,
        };
        let mut room = GROUPS_BYTES;
        let groups: Vec<Arc<str>> = token
            .groups
            .iter()
            .take(GROUPS_LIMIT)
            .map(|(issuer, value)| Arc::from([issuer.as_str(), "/", value].concat()))
            .take_while(|group: &Arc<str>| {
                let left = room.checked_sub(group.len());
                room = left.unwrap_or_default();
                left.is_some()
            })
            .collect();
        Self {
            issuer: token.issuer.shared(),
            claim: cut(claim),
            groups_cut: groups.len() < token.groups.len(),
            groups,
            id: token.id.as_ref().map(cut),
        }
    }
}

/// The text, up to a character's end.
fn cut(text: &Arc<str>) -> Arc<str> {
    match text.get(..text.floor_char_boundary(TEXT_LIMIT)) {
        Some(kept) if kept.len() < text.len() => Arc::from(kept),
        _ => text.clone(),
    }
}

/// The words of records that are about records: what is lost is told in the audit itself. See [`LOST`].
#[derive(Debug, Clone, Copy)]
pub struct Lost {
    /// The action of all of them.
    pub action: &'static str,
    /// The reason: the spool was full, or the disk refused; `records` in the metadata says how many.
    pub dropped: &'static str,
    /// Bytes of a record that was being written when a process died. Its request had not been answered.
    pub torn: &'static str,
    /// Files of the spool that had been whole were not: records are lost, nobody knows how many.
    pub damaged: &'static str,
}

/// The words.
pub const LOST: Lost = Lost {
    action: "audit.lost",
    dropped: "records_dropped",
    torn: "spool_torn",
    damaged: "spool_damaged",
};

/// One request. Empty strings never occur: what is not known is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// When the request's head had been read.
    pub time: Timestamp,
    /// The `x-request-id` of the response.
    pub request_id: Arc<str>,
    /// The `x-turnpike-decision` of the response; a refusal has one also where nothing was decided.
    pub decision_id: Option<Arc<str>>,
    /// The W3C trace id, 32 hexadecimal digits.
    pub trace_id: Option<Arc<str>>,
    /// The tenant of the credential, where one was recognised.
    pub tenant: Option<Arc<str>>,
    /// `user:alice` or `virtual-account:checkout-bot`.
    pub principal: Option<Arc<str>>,
    /// The public id of the credential, also where it was refused.
    pub credential: Option<Id>,
    /// `api_key`, later `jwt` and others.
    pub auth_method: Option<Arc<str>>,
    /// What the caller's verified token brought; nothing where a key was presented.
    pub token: Option<Arc<TokenFacts>>,
    /// HTTP method and route template: `POST /v1/chat/completions`; `unknown` for no route.
    pub route: Arc<str>,
    /// The action judged: `inference.chat`.
    pub action: Option<Arc<str>>,
    /// Whom the decision is about, as `user:alice`, where the principal asked about somebody else.
    pub subject: Option<Arc<str>>,
    /// What was judged, as `type:name`, where it is not a model.
    pub resource: Option<Arc<str>>,
    /// The model as the client wrote it, cut at 200 characters.
    pub model_requested: Option<Arc<str>>,
    /// The model judged and sent: `provider/name`.
    pub model_served: Option<Arc<str>>,
    /// The model asked for, where a fallback was served in its place.
    pub fallback_from: Option<Arc<str>>,
    /// The provider's name.
    pub provider: Option<Arc<str>>,
    /// The model's environment.
    pub environment: Option<Arc<str>>,
    /// Allowed or refused.
    pub outcome: Outcome,
    /// One word for machines: `allowed`, `no_grant`, `denied_by_grant`, `credential_revoked` …
    pub reason: Arc<str>,
    /// The grants that decided.
    pub grants: Vec<Id>,
    /// The status sent to the client.
    pub status: u16,
    /// The status received from the provider.
    pub upstream_status: Option<u16>,
    /// From the request's head to the end of the response, in microseconds.
    pub latency_us: u64,
    /// From the request's head to the first byte of the response's body, in microseconds.
    pub first_token_us: Option<u64>,
    /// What the provider counted.
    pub usage: Usage,
    /// Whom it counts for, and what it cost.
    pub billing: Billing,
    /// Whether the response was streamed.
    pub streamed: bool,
    /// How the exchange ended.
    pub ending: Ending,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The client's `user-agent`, cut at 200 characters.
    pub user_agent: Option<Arc<str>>,
    /// `x-turnpike-metadata`, as pairs.
    pub metadata: Vec<(Arc<str>, Arc<str>)>,
    /// The edge's region.
    pub region: Arc<str>,
    /// The position of the snapshot that decided.
    pub position: u64,
}
