//! Real requests, judged again: on the state as it is and on the state as planned, with what was recorded of each.
//!
//! Recorded are the moment, how the caller proved who it is, the issuer and the groups of its token, its credential, its
//! address, the action and the model. Not recorded are a token's age, taken for zero, and whether the client would have
//! taken another model, taken for yes. Limits are not looked at.

use std::{collections::BTreeMap, sync::Arc};

use super::judge::calling;
use crate::{
    audit::AuditRecord,
    authenticate::Caller,
    choose::{ModelRequest, choose},
    decide::{Request, decide},
    grant::{AuthMethod, Circumstances},
    id::{Name, Principal, Timestamp},
    pattern::Resource,
    resolve::Unresolved,
    snapshot::Snapshot,
};

/// The most examples of each kind that are kept.
const EXAMPLES: usize = 10;

/// How a request would have gone otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Otherwise {
    /// It is allowed, and would be refused.
    Refused,
    /// It is refused, and would be allowed.
    Allowed,
    /// Another model would be served.
    OtherModel,
}

impl Otherwise {
    /// One word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Allowed => "allowed",
            Self::OtherModel => "other_model",
        }
    }
}

/// One request that would have gone otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its `x-request-id`.
    pub request_id: Arc<str>,
    /// When.
    pub time: Timestamp,
    /// Who asked.
    pub principal: Arc<str>,
    /// For what.
    pub action: Arc<str>,
    /// The model that was asked for, or the resource.
    pub about: Arc<str>,
    /// What is served as things are; absent: it is refused.
    pub now: Option<Arc<str>>,
    /// What would be served; absent: it would be refused.
    pub then: Option<Arc<str>>,
}

/// What came of it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that were looked at.
    pub seen: u64,
    /// Those of them that a decision was made about.
    pub judged: u64,
    /// How many would have gone otherwise, and some of them.
    pub otherwise: BTreeMap<Otherwise, (u64, Vec<Example>)>,
    /// By who asked.
    pub principals: BTreeMap<Arc<str>, BTreeMap<Otherwise, u64>>,
    /// By the model that was asked for, or the resource.
    pub about: BTreeMap<Arc<str>, BTreeMap<Otherwise, u64>>,
}

/// Requests judged on two states.
#[derive(Debug, Clone)]
pub struct Replay {
    now: Arc<Snapshot>,
    then: Arc<Snapshot>,
    tenant: Name,
    /// What came of it.
    pub report: Report,
}

/// What would be served; absent: it would be refused.
type Answer = Option<Arc<str>>;

/// What was recorded of a request, read once for both states.
struct Asked<'r> {
    record: &'r AuditRecord,
    principal: Principal,
    action: &'r Arc<str>,
    about: About<'r>,
    method: AuthMethod,
    issuer: Option<Name>,
    groups: Vec<(Name, Arc<str>)>,
}

#[derive(Clone, Copy)]
enum About<'r> {
    Model(&'r Arc<str>),
    Other(&'r Arc<str>, &'r str, &'r str),
}

impl Replay {
    /// Nothing judged yet.
    pub fn new(now: Arc<Snapshot>, then: Arc<Snapshot>, tenant: Name) -> Self {
        Self {
            now,
            then,
            tenant,
            report: Report::default(),
        }
    }

    /// Judges one more.
    pub fn take(&mut self, record: &AuditRecord) {
        self.report.seen += 1;
        let Some(asked) = Asked::of(record) else { return };
        self.report.judged += 1;
        let now = answer(&self.now, &self.tenant, &asked);
        let then = answer(&self.then, &self.tenant, &asked);
        let otherwise = match (&now, &then) {
            (Some(now), Some(then)) if now != then => Otherwise::OtherModel,
            (Some(_), None) => Otherwise::Refused,
            (None, Some(_)) => Otherwise::Allowed,
            _ => return,
        };
        self.report.note(otherwise, &asked, now, then);
    }
}

impl Report {
    fn note(&mut self, otherwise: Otherwise, asked: &Asked<'_>, now: Answer, then: Answer) {
        let principal = asked.record.principal.clone().unwrap_or_default();
        let about = match asked.about {
            About::Model(text) | About::Other(text, ..) => text.clone(),
        };
        *self
            .principals
            .entry(principal.clone())
            .or_default()
            .entry(otherwise)
            .or_default() += 1;
        *self
            .about
            .entry(about.clone())
            .or_default()
            .entry(otherwise)
            .or_default() += 1;
        let (count, examples) = self.otherwise.entry(otherwise).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(Example {
                request_id: asked.record.request_id.clone(),
                time: asked.record.time,
                principal,
                action: asked.action.clone(),
                about,
                now,
                then,
            });
        }
    }
}

impl<'r> Asked<'r> {
    /// Nothing, where no decision was made: the caller was not known, or asked for nothing.
    fn of(record: &'r AuditRecord) -> Option<Self> {
        let about = match (&record.model_requested, &record.resource) {
            (Some(model), _) => About::Model(model),
            (None, Some(resource)) => {
                let (kind, name) = resource.split_once(':')?;
                About::Other(resource, kind, name)
            }
            (None, None) => return None,
        };
        let method = record.auth_method.as_deref()?;
        let token = record.token.as_ref();
        let group = |group: &Arc<str>| {
            let (issuer, value) = group.split_once('/')?;
            Some((issuer.parse().ok()?, Arc::from(value)))
        };
        Some(Self {
            record,
            principal: record.principal.as_deref()?.parse().ok()?,
            action: record.action.as_ref()?,
            about,
            method: AuthMethod::ALL.into_iter().find(|one| one.as_str() == method)?,
            issuer: token.and_then(|token| token.issuer.parse().ok()),
            groups: token
                .iter()
                .flat_map(|token| &token.groups)
                .filter_map(group)
                .collect(),
        })
    }
}

fn answer(snapshot: &Snapshot, tenant: &Name, asked: &Asked<'_>) -> Answer {
    let tenant = snapshot.tenant(tenant.as_str())?;
    if tenant.settings().suspended {
        return None;
    }
    let caller = calling(
        tenant,
        &asked.principal,
        asked.method,
        asked.issuer.as_ref(),
        &asked.groups,
    )?;
    if caller
        .account
        .is_some_and(|held| held.account.profile.deactivated)
    {
        return None;
    }
    let credential = asked.record.credential.and_then(|id| snapshot.credential(id));
    let caller = Caller {
        credential: credential
            .map(AsRef::as_ref)
            .filter(|held| held.tenant == *tenant.name()),
        ..caller
    };
    let token = asked.method != AuthMethod::ApiKey;
    let circumstances = Circumstances {
        now: asked.record.time,
        method: asked.method,
        issuer: asked.issuer.as_ref(),
        issued: token.then_some(asked.record.time),
        client: asked.record.client,
    };
    match asked.about {
        About::Model(model) => of_model(snapshot, &caller, asked, model, circumstances),
        About::Other(text, kind, name) => {
            let request = Request {
                action: asked.action,
                resource: Resource::named(kind, name),
                circumstances,
            };
            decide(snapshot, &caller, &request)
                .allowed()
                .then(|| text.clone())
        }
    }
}

/// A bare name is looked up under the provider that served it where it alone does not say which model was meant: the client
/// had named the provider beside it.
fn of_model(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    asked: &Asked<'_>,
    model: &str,
    circumstances: Circumstances<'_>,
) -> Answer {
    let under = |provider| {
        let request = ModelRequest {
            action: asked.action,
            requested: model,
            provider,
            circumstances,
            accepts_fallback: true,
        };
        choose(snapshot, caller, &request)
    };
    let choice = match (under(None), asked.record.provider.as_deref()) {
        (Err(Unresolved::Unknown | Unresolved::Ambiguous), Some(provider)) => under(Some(provider)),
        (choice, _) => choice,
    };
    let choice = choice.ok()?;
    choice.decision.allowed().then(|| choice.model.id.shared())
}
