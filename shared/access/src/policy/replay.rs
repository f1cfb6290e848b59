//! Real requests, judged again: on the state as it is and on the state as planned, with what was recorded of each.
//!
//! Not recorded are a token's age, taken for zero, whether the client would have taken another model, taken for yes, and what
//! it needed of one, taken for nothing. Budgets are not looked at: in both states nothing is spent.

use std::{collections::BTreeMap, sync::Arc};

use crate::{audit::AuditRecord, id::Timestamp, recall::Recalled, snapshot::Snapshot};

/// The most examples of each kind that are kept.
const EXAMPLES: usize = 10;
/// The most names that are counted one by one; further ones are counted together.
const NAMES: usize = 10_000;
/// What further ones are counted as.
const OTHERS: &str = "(others)";

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
    /// What came of it.
    pub report: Report,
}

/// What would be served; absent: it would be refused.
type Answer = Option<Arc<str>>;

impl Replay {
    /// Nothing judged yet.
    pub fn new(now: Arc<Snapshot>, then: Arc<Snapshot>) -> Self {
        Self {
            now: Arc::new(now.with_nothing_spent()),
            then: Arc::new(then.with_nothing_spent()),
            report: Report::default(),
        }
    }

    /// Judges one more.
    pub fn take(&mut self, record: &AuditRecord) {
        self.report.seen += 1;
        let Some(asked) = Recalled::asking(record) else {
            return;
        };
        self.report.judged += 1;
        let (now, then) = (asked.served(&self.now), asked.served(&self.then));
        let otherwise = match (&now, &then) {
            (Some(now), Some(then)) if now != then => Otherwise::OtherModel,
            (Some(_), None) => Otherwise::Refused,
            (None, Some(_)) => Otherwise::Allowed,
            _ => return,
        };
        let principal = Arc::from(asked.principal().to_string());
        self.report.note(otherwise, record, principal, (now, then));
    }
}

impl Report {
    fn note(
        &mut self,
        otherwise: Otherwise,
        record: &AuditRecord,
        principal: Arc<str>,
        (now, then): (Answer, Answer),
    ) {
        let about = record.resource.as_ref().or(record.model_requested.as_ref());
        let about = about.cloned().unwrap_or_default();
        for (all, name) in [(&mut self.principals, &principal), (&mut self.about, &about)] {
            let name = match all.len() < NAMES || all.contains_key(name) {
                true => name.clone(),
                false => Arc::from(OTHERS),
            };
            *all.entry(name).or_default().entry(otherwise).or_default() += 1;
        }
        let (count, examples) = self.otherwise.entry(otherwise).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(Example {
                request_id: record.request_id.clone(),
                time: record.time,
                principal,
                action: record.action.clone().unwrap_or_default(),
                about,
                now,
                then,
            });
        }
    }
}
