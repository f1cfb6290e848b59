//! Why a recorded request was answered as it was: found in the audit, and judged again by the state that judged it.

use std::sync::Arc;

use turnpike_access::{
    audit::{AuditRecord, Outcome},
    authenticate::Caller,
    choose::{ModelRequest, tried},
    command::Permission,
    credential::CredentialStatus,
    decide::{self, Decision},
    explain::explain,
    log::Position,
    pattern::Resource,
    recall::{Again, Recalled, Verdict},
    resolve,
    snapshot::Snapshot,
};
use turnpike_proto::admin::v1;

use super::{super::call::Call, words};
use crate::{
    execute::judge,
    history::Moment,
    rpc::status::Failure,
    store::{AuditFilter, Page, StoredRecord},
};

/// How a decision's id and its request's begin; what follows is the same.
const PREFIXES: (&str, &str) = ("dec_", "req_");

impl Call {
    pub(super) async fn explain_decision(self, id: &str) -> Result<v1::ExplainDecisionResponse, Failure> {
        let found = self.recorded(id).await?;
        let Some(stored) = found else {
            // Whoever may explain nothing learns nothing, not even that there is nothing.
            self.may("")?;
            return Err(Failure::not_found("decision", id));
        };
        let record = &stored.record;
        let hidden = self.is_hidden_from(record)?;
        let mut response = v1::ExplainDecisionResponse {
            recorded: Some((&stored.id, record).into()),
            ..self.granters()?
        };
        if hidden {
            conceal(&mut response);
            return Ok(response);
        }
        let Some(recalled) = Recalled::of(record) else {
            let told = words::before_a_decision(&record.reason, record.outcome);
            response.story = [told.to_owned(), self.more_of(record).await?].concat();
            response.verdict = "not_evaluated".to_owned();
            return Ok(response);
        };
        let position = Position::new(record.position);
        let then = self.on.history.at(Moment::Position(position)).await?;
        match recalled.caller(&then) {
            Some(caller) => {
                let again = recalled.judge(&then, &caller);
                tell(&mut response, record, &then, &caller, &again);
                self.add_lenders(&mut response, &recalled, &again)?;
            }
            None => response.story = "The tenant was not there at that position.".to_owned(),
        }
        Ok(response)
    }

    /// The record of a decision or a request of the caller's tenant.
    async fn recorded(&self, id: &str) -> Result<Option<StoredRecord>, Failure> {
        let (decision, request) = PREFIXES;
        let decided = AuditFilter {
            decision_id: Some(id.to_owned()),
            ..AuditFilter::default()
        };
        let rest = id.strip_prefix(decision).or_else(|| id.strip_prefix(request));
        let requested = AuditFilter {
            request_id: rest.map(|rest| [request, rest].concat()),
            ..AuditFilter::default()
        };
        let first = Page {
            limit: 1,
            after: None,
        };
        for filter in [decided, requested] {
            if filter == AuditFilter::default() {
                continue;
            }
            let found = self.on.audit.list(&self.identity.own, &filter, first).await?;
            if let Some(stored) = found.into_iter().next() {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Whether the caller may know no more than it was told at the time.
    ///
    /// One's own requests are one's own business, unless they asked about somebody else. Of another's request the story is for those who may explain, and who
    /// may read the audit too, which it comes from.
    fn is_hidden_from(&self, record: &AuditRecord) -> Result<bool, Failure> {
        let caller = self.caller()?;
        let own = caller.principal.to_string();
        let principal = record.principal.as_deref().unwrap_or_default();
        let about = record.subject.as_deref().unwrap_or(principal);
        let explains = self.may(about);
        if principal != own || about != own {
            explains?;
            let permission = Permission {
                action: "audit.read",
                kind: "audit",
                name: String::new(),
            };
            judge::judge_caller(&self.snapshot, &caller, &self.identity.own, &permission, self.now)?;
            return Ok(false);
        }
        // Where models are hidden, a no must not tell that there is one.
        let hides = self.tenant()?.settings().hide_models && record.model_requested.is_some();
        let refused = record.outcome == Outcome::Refused;
        Ok(refused && (record.status == 404 || hides) && explains.is_err())
    }

    /// What the state tells of the credential that was not accepted.
    async fn more_of(&self, record: &AuditRecord) -> Result<String, Failure> {
        let Some(id) = record.credential.filter(|_| record.tenant.is_some()) else {
            return Ok(String::new());
        };
        let position = Position::new(record.position).max(Position::new(1));
        let then = self.on.history.at(Moment::Position(position)).await?;
        Ok(match then.credential(id).map(|held| &held.status) {
            Some(CredentialStatus::Revoked { reason, .. }) if &*record.reason == "credential_revoked" => {
                format!(" The reason given: {reason}.")
            }
            _ => String::new(),
        })
    }
}

/// What a caller whose tenant hides models was told, and no more.
fn conceal(response: &mut v1::ExplainDecisionResponse) {
    if let Some(entry) = &mut response.recorded {
        entry.reason = "model_not_found".to_owned();
        entry.provider.clear();
        entry.environment.clear();
        entry.grants.clear();
    }
    response.verdict = "not_evaluated".to_owned();
    response.story = "The model does not exist, or you have no access to it.".to_owned();
}

fn tell<'s>(
    response: &mut v1::ExplainDecisionResponse,
    record: &AuditRecord,
    then: &'s Snapshot,
    caller: &Caller<'s>,
    again: &Again<'s>,
) {
    response.verdict = match (again.same, again.is_partial) {
        (true, _) => "same",
        (false, true) => "not_evaluated",
        (false, false) => "different",
    }
    .to_owned();
    response.story = words::of_verdict(&response.verdict, record.position);
    let action = record.action.as_deref().unwrap_or_default();
    let decision = match &again.verdict {
        Verdict::Unresolved(_) => return,
        Verdict::Other(decision) => {
            let (kind, name) = record
                .resource
                .as_deref()
                .and_then(|text| text.split_once(':'))
                .unwrap_or_default();
            consider(response, then, caller, action, Resource::named(kind, name), again);
            shown(decision)
        }
        Verdict::Model(choice) => {
            let denied = choice.fallback.as_ref().map(|taken| taken.denied.clone());
            let asked = denied
                .as_deref()
                .and_then(|id| resolve::by_id(then, caller.tenant, &id.parse().ok()?));
            let asked = asked.as_ref().unwrap_or(&choice.model);
            consider(response, then, caller, action, asked.resource(), again);
            let request = ModelRequest {
                action,
                requested: asked.id.as_str(),
                provider: None,
                circumstances: again.circumstances,
                accepts_fallback: true,
            };
            if denied.is_some() || !choice.decision.allowed() {
                tell_fallbacks(
                    response,
                    again,
                    denied.as_ref(),
                    &tried(then, caller, &request, asked, &again.needs),
                );
            }
            v1::CheckResponse {
                model: choice.model.id.to_string(),
                fallback_from: denied.map(|id| id.to_string()).unwrap_or_default(),
                ..shown(&choice.decision)
            }
        }
    };
    response.decision = Some(decision);
}

/// Every grant that speaks of the caller, as to what it asked for.
fn consider<'s>(
    response: &mut v1::ExplainDecisionResponse,
    then: &'s Snapshot,
    caller: &Caller<'s>,
    action: &str,
    resource: Resource<'_>,
    again: &Again<'s>,
) {
    let request = decide::Request {
        action,
        resource,
        circumstances: again.circumstances,
    };
    let explained = explain(then, caller, &request);
    response.considered = explained.considered.iter().map(super::considered).collect();
}

fn tell_fallbacks(
    response: &mut v1::ExplainDecisionResponse,
    again: &Again<'_>,
    denied: Option<&Arc<str>>,
    tried: &[turnpike_access::choose::Tried<'_>],
) {
    let mut open = true;
    for one in tried {
        let allowed = one.decision.is_ok();
        let taken = open && allowed && denied.is_some();
        let sentence = match &one.decision {
            Err(why) => why.to_string(),
            Ok(_) if taken => "taken".to_owned(),
            Ok(_) if open && !again.accepts_fallback => "it was there, and the request declined it \
                 (x-turnpike-fallback: none), or needed what its model is not able to do"
                .to_owned(),
            Ok(_) => "an earlier rule came first".to_owned(),
        };
        open &= !allowed;
        response.fallbacks.push(v1::FallbackTried {
            rule: one.rule.id.to_string(),
            to: one.rule.to.to_string(),
            taken,
            sentence,
        });
    }
}

fn shown(decision: &Decision<'_>) -> v1::CheckResponse {
    v1::CheckResponse {
        allowed: decision.allowed(),
        reason: decision.reason.as_str().to_owned(),
        message: decision.reason.sentence().to_owned(),
        grant: decision.grant_id().map(|id| id.to_string()).unwrap_or_default(),
        position: decision.position.get(),
        ..Default::default()
    }
}
