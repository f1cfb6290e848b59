//! What was found out about a plan, as it is shown to programs.

use serde::Serialize;
use serde_norway::Value;
use turnpike_proto::admin::v1 as wire;

use crate::{command::value::some, moment};

/// Everything together.
#[derive(Default, Serialize)]
pub(in crate::command) struct Found {
    pub(super) plan: Option<PlanView>,
    pub(super) access: Vec<AccessView>,
    pub(super) replay: Option<ReplayView>,
}

#[derive(Serialize)]
pub(super) struct PlanView {
    pub(super) steps: Vec<StepView>,
    unmanaged: Vec<String>,
    notes: Vec<String>,
    tests: u32,
    pub(super) failed: Vec<FailedView>,
    pub(super) digest: String,
    position: u64,
}

#[derive(Serialize)]
pub(super) struct StepView {
    verb: String,
    what: String,
    name: String,
    details: Vec<String>,
    events: Vec<EventView>,
}

#[derive(Serialize)]
struct EventView {
    kind: String,
    version: u32,
    payload: Value,
}

#[derive(Serialize)]
pub(super) struct FailedView {
    test: String,
    why: String,
}

#[derive(Serialize)]
pub(super) struct AccessView {
    pub(super) who: String,
    pub(super) gains: bool,
    pub(super) actions: Vec<String>,
    pub(super) models: Vec<String>,
    pub(super) way: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ReplayView {
    pub(super) seen: u64,
    pub(super) judged: u64,
    pub(super) otherwise: Vec<CountView>,
    pub(super) examples: Vec<ExampleView>,
    pub(super) principals: Vec<TotalView>,
    pub(super) about: Vec<TotalView>,
}

#[derive(Serialize)]
pub(super) struct CountView {
    pub(super) otherwise: String,
    pub(super) count: u64,
}

#[derive(Serialize)]
pub(super) struct TotalView {
    pub(super) name: String,
    pub(super) otherwise: Vec<CountView>,
}

#[derive(Serialize)]
pub(super) struct ExampleView {
    pub(super) otherwise: String,
    pub(super) request_id: String,
    pub(super) time: Option<String>,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) about: String,
    pub(super) now: Option<String>,
    pub(super) then: Option<String>,
}

impl From<wire::PolicyPlan> for PlanView {
    fn from(plan: wire::PolicyPlan) -> Self {
        let wire::PolicyPlan {
            steps,
            unmanaged,
            notes,
            tests,
            failed,
            digest,
            position,
        } = plan;
        let failing = |wire::FailedTest { test, why }| FailedView { test, why };
        Self {
            steps: steps.into_iter().map(StepView::from).collect(),
            unmanaged,
            notes,
            tests,
            failed: failed.into_iter().map(failing).collect(),
            digest,
            position,
        }
    }
}

impl From<wire::PolicyStep> for StepView {
    fn from(step: wire::PolicyStep) -> Self {
        let wire::PolicyStep {
            verb,
            what,
            name,
            details,
            events,
        } = step;
        let event = |wire::PolicyEvent {
                         kind,
                         version,
                         payload,
                     }| EventView {
            kind,
            version,
            payload: serde_json::from_str(&payload).unwrap_or(Value::String(payload)),
        };
        Self {
            verb,
            what,
            name,
            details,
            events: events.into_iter().map(event).collect(),
        }
    }
}

impl From<wire::AccessChange> for AccessView {
    fn from(change: wire::AccessChange) -> Self {
        let wire::AccessChange {
            who,
            gains,
            actions,
            models,
            way,
        } = change;
        Self {
            who,
            gains,
            actions,
            models,
            way: some(way),
        }
    }
}

impl From<wire::PolicyReplay> for ReplayView {
    fn from(replay: wire::PolicyReplay) -> Self {
        let wire::PolicyReplay {
            seen,
            judged,
            otherwise,
            examples,
            principals,
            about,
        } = replay;
        Self {
            seen,
            judged,
            otherwise: counts(otherwise),
            examples: examples.into_iter().map(ExampleView::from).collect(),
            principals: totals(principals),
            about: totals(about),
        }
    }
}

fn counts(all: Vec<wire::OtherwiseCount>) -> Vec<CountView> {
    let count = |wire::OtherwiseCount { otherwise, count }| CountView { otherwise, count };
    all.into_iter().map(count).collect()
}

fn totals(all: Vec<wire::ReplayTotal>) -> Vec<TotalView> {
    let total = |wire::ReplayTotal { name, otherwise }| TotalView {
        name,
        otherwise: counts(otherwise),
    };
    all.into_iter().map(total).collect()
}

impl From<wire::ReplayExample> for ExampleView {
    fn from(example: wire::ReplayExample) -> Self {
        let wire::ReplayExample {
            otherwise,
            request_id,
            time_us,
            principal,
            action,
            about,
            now,
            then,
        } = example;
        Self {
            otherwise,
            request_id,
            time: moment::precise(time_us),
            principal,
            action,
            about,
            now: some(now),
            then: some(then),
        }
    }
}
