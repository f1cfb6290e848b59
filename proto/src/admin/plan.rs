//! Plans of policies, and what is found out about them.

use std::collections::BTreeMap;

use turnpike_access::{
    log::Position,
    policy::{
        Policy,
        judge::Failed,
        plan::{Plan, Step, Verb},
        replay::{Example, Otherwise, Report},
        survey::Change,
    },
};

use super::{
    document::{Document, read_policy},
    v1,
};
use crate::{
    ConversionError,
    field::{required, shown},
};

/// The most totals of a kind that are told.
const TOTALS: usize = 50;

/// A policy as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct WantedPolicy {
    /// What the files say.
    pub policy: Policy,
    /// What they do not name is deleted.
    pub prune: bool,
    /// Also what was approved for some time.
    pub prune_approved: bool,
    /// The secrets that came along, by their variables' names.
    pub secrets: BTreeMap<String, String>,
}

impl TryFrom<Option<v1::WantedPolicy>> for WantedPolicy {
    type Error = ConversionError;

    fn try_from(wanted: Option<v1::WantedPolicy>) -> Result<Self, ConversionError> {
        let v1::WantedPolicy {
            documents,
            secrets,
            prune,
            prune_approved,
        } = required("wanted", wanted)?;
        let document = |v1::PolicyDocument { name, text }| Document { name, text };
        let documents: Vec<Document> = documents.into_iter().map(document).collect();
        Ok(Self {
            policy: read_policy(&documents)?,
            prune,
            prune_approved,
            secrets,
        })
    }
}

/// A plan that starts from a state, with how many tests there are and which fail.
pub fn plan_message(plan: &Plan, position: Position, tests: usize, failed: Vec<Failed>) -> v1::PolicyPlan {
    let Plan {
        steps,
        unmanaged,
        notes,
        after: _,
    } = plan;
    v1::PolicyPlan {
        steps: steps.iter().map(v1::PolicyStep::from).collect(),
        unmanaged: unmanaged.clone(),
        notes: notes.clone(),
        tests: u32::try_from(tests).unwrap_or(u32::MAX),
        failed: failed
            .into_iter()
            .map(|Failed { test, why }| v1::FailedTest { test, why })
            .collect(),
        digest: plan.digest(),
        position: position.get(),
    }
}

impl From<&Step> for v1::PolicyStep {
    fn from(step: &Step) -> Self {
        let Step {
            verb,
            what,
            name,
            details,
            command: _,
            events: _,
        } = step;
        let verb = match verb {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        };
        let events = step.recorded().into_iter();
        Self {
            verb: verb.to_owned(),
            what: (*what).to_owned(),
            name: name.clone(),
            details: details.clone(),
            events: events
                .map(|recorded| v1::PolicyEvent {
                    kind: recorded.kind.as_ref().to_owned(),
                    version: recorded.version.into(),
                    payload: recorded.payload.as_ref().to_owned(),
                })
                .collect(),
        }
    }
}

impl From<Change> for v1::AccessChange {
    fn from(change: Change) -> Self {
        let Change {
            who,
            gains,
            actions,
            models,
            way,
        } = change;
        Self {
            who,
            gains,
            actions: actions.iter().map(ToString::to_string).collect(),
            models: models.iter().map(ToString::to_string).collect(),
            way: way.unwrap_or_default(),
        }
    }
}

impl From<&Report> for v1::PolicyReplay {
    fn from(report: &Report) -> Self {
        let Report {
            seen,
            judged,
            otherwise,
            principals,
            about,
        } = report;
        let counted = |(otherwise, (count, _)): (&Otherwise, &(u64, _))| count_message(*otherwise, *count);
        let examples = otherwise.iter().flat_map(|(otherwise, (_, examples))| {
            examples
                .iter()
                .map(|example| example_message(*otherwise, example))
        });
        Self {
            seen: *seen,
            judged: *judged,
            otherwise: otherwise.iter().map(counted).collect(),
            examples: examples.collect(),
            principals: totals(principals),
            about: totals(about),
        }
    }
}

fn count_message(otherwise: Otherwise, count: u64) -> v1::OtherwiseCount {
    v1::OtherwiseCount {
        otherwise: otherwise.as_str().to_owned(),
        count,
    }
}

fn example_message(otherwise: Otherwise, example: &Example) -> v1::ReplayExample {
    let Example {
        request_id,
        time,
        principal,
        action,
        about,
        now,
        then,
    } = example;
    v1::ReplayExample {
        otherwise: otherwise.as_str().to_owned(),
        request_id: request_id.to_string(),
        time_us: time.as_micros(),
        principal: principal.to_string(),
        action: action.to_string(),
        about: about.to_string(),
        now: shown(now.as_ref()),
        then: shown(then.as_ref()),
    }
}

/// The most first.
fn totals(all: &BTreeMap<std::sync::Arc<str>, BTreeMap<Otherwise, u64>>) -> Vec<v1::ReplayTotal> {
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.values().sum::<u64>()));
    let total = |(name, counts): (&std::sync::Arc<str>, &BTreeMap<Otherwise, u64>)| v1::ReplayTotal {
        name: name.to_string(),
        otherwise: counts
            .iter()
            .map(|(kind, count)| count_message(*kind, *count))
            .collect(),
    };
    all.into_iter().take(TOTALS).map(total).collect()
}
