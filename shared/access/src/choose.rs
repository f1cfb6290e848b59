//! Which model serves a request: aliases first, then the decision, then the tenant's fallback rules.

use std::{cell::LazyCell, sync::Arc};

use crate::{
    authenticate::Caller,
    decide::{Decision, Reason, Request, decide},
    grant::{Circumstances, Subject},
    id::{Id, ModelId},
    model::Fallback,
    needs::{self, Needs, PassedOver, Unfit},
    resolve::{self, ResolvedModel, Unresolved},
    snapshot::Snapshot,
};

/// The actions of which one at least must be allowed for a model to be one that the caller may use.
pub const INFERENCE_ACTIONS: [&str; 11] = [
    "inference.chat",
    "inference.responses",
    "inference.messages",
    "inference.completions",
    "inference.embeddings",
    "inference.images",
    "inference.transcriptions",
    "inference.translations",
    "inference.speech",
    "inference.moderations",
    "inference.rerank",
];

/// A request for a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelRequest<'a> {
    /// `inference.chat` …
    pub action: &'a str,
    /// The model as the client wrote it.
    pub requested: &'a str,
    /// The provider that the client named beside it.
    pub provider: Option<&'a str>,
    /// When, from where, and how the caller proved who it is.
    pub circumstances: Circumstances<'a>,
    /// Whether the client takes another model than the one it asked for.
    pub accepts_fallback: bool,
}

/// A model was found, and judged.
#[derive(Debug, Clone)]
pub struct Choice<'s> {
    /// The model that is served, or that was refused.
    pub model: ResolvedModel<'s>,
    /// What was decided about it.
    pub decision: Decision<'s>,
    /// The substitution that was made.
    pub fallback: Option<Substitution>,
    /// Fallback rules for the model that were tried before, and why they were not followed.
    pub passed_over: Vec<PassedOver>,
}

/// A fallback rule was followed.
#[derive(Debug, Clone)]
pub struct Substitution {
    /// The rule.
    pub rule: Id,
    /// The model that was asked for, and denied.
    pub denied: Arc<str>,
}

/// [`choose_for`] where nothing is known of what the request needs.
pub fn choose<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
) -> Result<Choice<'s>, Unresolved> {
    choose_for(snapshot, caller, request, Needs::default)
}

/// Resolves, decides and, where the answer is no, tries the fallback rules in their order. The substitute is
/// judged like any other model, whatever is spent, and is never itself substituted. `needs` is asked only where a substitute is allowed.
pub fn choose_for<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    needs: impl FnOnce() -> Needs,
) -> Result<Choice<'s>, Unresolved> {
    let model = resolve::resolve(snapshot, caller.tenant, request.requested, request.provider)?;
    let decision = afforded(snapshot, caller, request, &model);
    let refused = Choice {
        model,
        decision,
        fallback: None,
        passed_over: Vec::new(),
    };
    if decision.allowed() || !request.accepts_fallback {
        return Ok(refused);
    }
    Ok(substituted(snapshot, caller, request, refused, needs))
}

fn substituted<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    refused: Choice<'s>,
    needs: impl FnOnce() -> Needs,
) -> Choice<'s> {
    let denied = &refused.model.id;
    let (mut passed_over, needs) = (Vec::new(), LazyCell::new(needs));
    for rule in rules(caller, denied, refused.decision.reason) {
        match fit(snapshot, caller, request, rule, &needs) {
            Err(why) => passed_over.push(rule.passed_over(why)),
            Ok((model, decision)) => {
                let fallback = Some(Substitution {
                    rule: rule.id,
                    denied: Arc::from(denied.as_str()),
                });
                return Choice {
                    model,
                    decision,
                    fallback,
                    passed_over,
                };
            }
        }
    }
    Choice {
        passed_over,
        ..refused
    }
}

/// The substitute that a rule names, if it may and can serve the request.
fn fit<'s, F: FnOnce() -> Needs>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    rule: &Fallback,
    needs: &LazyCell<Needs, F>,
) -> Result<(ResolvedModel<'s>, Decision<'s>), Unfit> {
    let carries = |subject: &Subject| match subject {
        Subject::Group { issuer, value } => {
            let mut carried = caller.groups.iter();
            carried.any(|(from, group)| from == issuer && group == value)
        }
        _ => false,
    };
    let named = rule.teams.is_empty() && rule.groups.is_empty()
        || rule.teams.iter().any(|team| caller.teams().contains(team))
        || rule.groups.iter().any(carries);
    if !named {
        return Err(Unfit::OtherPeople);
    }
    let substitute = resolve::by_id(snapshot, caller.tenant, &rule.to).ok_or(Unfit::Missing)?;
    if !needs::speaks(substitute.provider.profile.kind, request.action) {
        return Err(Unfit::Dialect);
    }
    let verdict = judge(snapshot, caller, request, &substitute);
    if !verdict.allowed() {
        return Err(Unfit::Denied(verdict.reason));
    }
    match needs.unmet(&substitute) {
        Some(unmet) => Err(unmet),
        None => Ok((substitute, verdict)),
    }
}

/// A fallback rule that speaks of a denied model and of the caller, and what is decided about its substitute.
#[derive(Debug, Clone)]
pub struct Tried<'s> {
    /// The rule.
    pub rule: &'s Fallback,
    /// The decision, or why the substitute will not do.
    pub decision: Result<Decision<'s>, Unfit>,
}

/// What [`choose_for`] tries, in its order, and beyond the first that is allowed.
pub fn tried<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    denied: &ResolvedModel<'s>,
    needs: &Needs,
) -> Vec<Tried<'s>> {
    let needs = LazyCell::new(|| needs.clone());
    let reason = afforded(snapshot, caller, request, denied).reason;
    let each = rules(caller, &denied.id, reason).map(|rule| {
        let fit = fit(snapshot, caller, request, rule, &needs);
        let decision = fit.map(|(_, decision)| decision);
        Tried { rule, decision }
    });
    each.filter(|one| !matches!(one.decision, Err(Unfit::OtherPeople)))
        .collect()
}

/// The fallback rules that speak of a denied model and of why it was denied, in their order.
fn rules<'s>(caller: &Caller<'s>, denied: &ModelId, reason: Reason) -> impl Iterator<Item = &'s Fallback> {
    let rules = caller.tenant.fallbacks().iter();
    let rules = rules.filter(move |rule| rule.over_budget == (reason == Reason::OverBudget));
    rules.filter(move |rule| rule.from.matches(denied.as_str()) && rule.to != *denied)
}

/// Whether the caller may use a model for something.
pub fn may_use(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    circumstances: Circumstances<'_>,
    model: &ResolvedModel<'_>,
) -> bool {
    INFERENCE_ACTIONS.into_iter().any(|action| {
        decide(
            snapshot,
            caller,
            &Request {
                action,
                resource: model.resource(),
                circumstances,
            },
        )
        .allowed()
    })
}

/// What is decided about the model that was asked for: it must be allowed, and within the budget.
fn afforded<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    model: &ResolvedModel<'_>,
) -> Decision<'s> {
    let mut decision = judge(snapshot, caller, request, model);
    let now = request.circumstances.now;
    if decision.allowed() && caller.tenant.spent(caller, now).is_some() {
        decision.reason = Reason::OverBudget;
    }
    decision
}

fn judge<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    model: &ResolvedModel<'_>,
) -> Decision<'s> {
    let judged = Request {
        action: request.action,
        resource: model.resource(),
        circumstances: request.circumstances,
    };
    decide(snapshot, caller, &judged)
}

#[cfg(test)]
mod tests;
