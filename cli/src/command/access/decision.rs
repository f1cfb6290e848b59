//! `turnpike explain DECISION`.

use std::time::{Duration, Instant};

use serde::Serialize;
use tonic::Code;
use turnpike_proto::admin::v1::{
    self as wire, ExplainDecisionRequest, access_service_client::AccessServiceClient,
};

use super::ConsideredView;
use crate::{
    command::value::some,
    failure::Failure,
    moment,
    session::{Outcome, Session, present},
};

/// The audit comes from the edges by itself, a moment after the answer: so long it is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long, where it may be another's decision as well.
const PATIENCE_REFUSED: Duration = Duration::from_secs(2);
/// How often it is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Serialize)]
struct ExplanationView {
    decision_id: Option<String>,
    request_id: Option<String>,
    time: Option<String>,
    principal: Option<String>,
    /// Whom it is about, where the principal asked about somebody else.
    subject: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    model: Option<String>,
    /// `allowed` or `refused`, as the audit has it.
    outcome: String,
    status: u32,
    reason: Option<String>,
    position: u64,
    story: String,
    /// `same`, `different` or `not_evaluated`.
    verdict: String,
    /// What is decided by the state at that position.
    allowed: Option<bool>,
    message: Option<String>,
    grant: Option<String>,
    served: Option<String>,
    fallbacks: Vec<String>,
    fallback: String,
    who_can_grant: Vec<String>,
    you_can_grant: bool,
}

/// Explains a decision that was made.
pub(super) async fn explain(session: &Session, id: &str) -> Result<Outcome, Failure> {
    let answer = awaited(session, id).await?;
    let wire::ExplainDecisionResponse {
        recorded,
        decision,
        verdict,
        story,
        considered,
        fallbacks,
        granters,
        asker_may_grant,
    } = answer;
    let recorded = present(recorded)?;
    let considered = ConsideredView::all(considered)?;
    let view = ExplanationView {
        fallback: told(&recorded, decision.as_ref(), &fallbacks),
        decision_id: some(recorded.decision_id),
        request_id: some(recorded.request_id),
        time: moment::precise(recorded.time_us),
        principal: some(recorded.principal),
        subject: some(recorded.subject),
        action: some(recorded.action),
        resource: some(recorded.resource),
        model: some(recorded.model_requested),
        outcome: recorded.outcome,
        status: recorded.status,
        reason: some(recorded.reason),
        position: recorded.position,
        story,
        verdict,
        allowed: decision.as_ref().map(|decision| decision.allowed),
        message: decision.as_ref().map(|decision| decision.message.clone()),
        grant: decision
            .as_ref()
            .and_then(|decision| some(decision.grant.clone())),
        served: some(recorded.model_served),
        fallbacks: fallbacks.into_iter().map(rule).collect(),
        who_can_grant: granters,
        you_can_grant: asker_may_grant,
    };
    session.printer.whole(&view, "considered", &considered)?;
    Ok(Outcome::Done)
}

/// One sentence about substitutes.
fn told(
    recorded: &wire::AuditEntry,
    decision: Option<&wire::CheckResponse>,
    fallbacks: &[wire::FallbackTried],
) -> String {
    match (fallbacks.iter().find(|one| one.taken), decision) {
        (Some(taken), _) => format!("{} was served in its place", taken.to),
        (None, Some(decision)) if decision.allowed => String::new(),
        (None, Some(_)) if recorded.model_requested.is_empty() => String::new(),
        (None, Some(_)) if fallbacks.is_empty() => {
            "no fallback rule speaks of this model and this caller".to_owned()
        }
        (None, Some(_)) => "no fallback was taken".to_owned(),
        (None, None) => String::new(),
    }
}

fn rule(one: wire::FallbackTried) -> String {
    let wire::FallbackTried {
        rule,
        to,
        taken: _,
        sentence,
    } = one;
    format!("{rule} to {to}: {sentence}")
}

#[expect(
    clippy::print_stderr,
    reason = "progress is for whoever watches, not part of the result"
)]
async fn awaited(session: &Session, id: &str) -> Result<wire::ExplainDecisionResponse, Failure> {
    let mut client = AccessServiceClient::new(session.service());
    let begun = Instant::now();
    let mut told = false;
    loop {
        let request = ExplainDecisionRequest { id: id.to_owned() };
        let status = match client.explain_decision(request).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        // Whoever may explain only what was decided about oneself is refused as long as there is no such record.
        let refused = status.code() == Code::PermissionDenied;
        if refused && begun.elapsed() < PATIENCE_REFUSED {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        if status.code() != Code::NotFound {
            return Err(status.into());
        }
        if begun.elapsed() >= PATIENCE {
            return Err(Failure::local(format!(
                "no decision or request {id:?} in the audit of your tenant: check the id; an edge that is cut off sends \
                 its audit when it is back (`turnpike edge list`), and where nobody was recognised (401), only operators \
                 see the record"
            )));
        }
        if !told {
            eprintln!(
                "turnpike: not in the audit yet; waiting up to {} seconds",
                PATIENCE.as_secs()
            );
            told = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
