//! Which model serves a request: aliases first, then the decision, then the tenant's fallback rules.

use std::sync::Arc;

use crate::{
    authenticate::Caller,
    decide::{Decision, Request, Standing, decide},
    grant::Circumstances,
    id::Id,
    model::Fallback,
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
}

/// A fallback rule was followed.
#[derive(Debug, Clone)]
pub struct Substitution {
    /// The rule.
    pub rule: Id,
    /// The model that was asked for, and denied.
    pub denied: Arc<str>,
}

/// Resolves, decides and, where the answer is no, tries the fallback rules in their order. The substitute is
/// judged like any other model and is never itself substituted.
pub fn choose<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
) -> Result<Choice<'s>, Unresolved> {
    let model = resolve::resolve(snapshot, caller.tenant, request.requested, request.provider)?;
    let decision = judge(snapshot, caller, request, &model);
    if decision.allowed() || !request.accepts_fallback {
        return Ok(Choice {
            model,
            decision,
            fallback: None,
        });
    }
    for rule in rules(caller, &model) {
        let Some(substitute) = resolve::by_id(snapshot, caller.tenant, &rule.to) else {
            continue;
        };
        let verdict = judge(snapshot, caller, request, &substitute);
        if verdict.allowed() {
            let fallback = Some(Substitution {
                rule: rule.id,
                denied: Arc::from(model.id.as_str()),
            });
            return Ok(Choice {
                model: substitute,
                decision: verdict,
                fallback,
            });
        }
    }
    Ok(Choice {
        model,
        decision,
        fallback: None,
    })
}

/// The fallback rules that speak of a denied model and of the caller, in their order.
fn rules<'s>(caller: &Caller<'s>, denied: &ResolvedModel<'s>) -> impl Iterator<Item = &'s Fallback> {
    let teams = caller.teams();
    caller.tenant.fallbacks().iter().filter(move |rule| {
        rule.from.matches(denied.id.as_str())
            && rule.to != denied.id
            && (rule.teams.is_empty() || rule.teams.iter().any(|team| teams.contains(team)))
    })
}

/// A fallback rule that speaks of a denied model and of the caller, and what is decided about its substitute.
#[derive(Debug, Clone)]
pub struct Tried<'s> {
    /// The rule.
    pub rule: &'s Fallback,
    /// The decision; `None` where the substitute is no model of the tenant any more.
    pub decision: Option<Decision<'s>>,
}

/// What [`choose`] tries, in its order, and beyond the first that is allowed.
pub fn tried<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &ModelRequest<'_>,
    denied: &ResolvedModel<'s>,
) -> Vec<Tried<'s>> {
    let each = rules(caller, denied).map(|rule| {
        let substitute = resolve::by_id(snapshot, caller.tenant, &rule.to);
        let decision = substitute.map(|model| judge(snapshot, caller, request, &model));
        Tried { rule, decision }
    });
    each.collect()
}

/// The models that the caller may use for something: the tenant's own and then those that are offered to it, each in
/// the order of their names.
pub fn usable<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    circumstances: Circumstances<'_>,
) -> impl Iterator<Item = ResolvedModel<'s>> {
    let standings = standings(caller, circumstances);
    resolve::listed(snapshot, caller.tenant).filter(move |model| {
        standings
            .iter()
            .any(|one| one.decide(snapshot, caller, model.resource()).allowed())
    })
}

fn standings<'s, 'a>(caller: &Caller<'s>, circumstances: Circumstances<'a>) -> Vec<Standing<'s, 'a>> {
    let mut different: Vec<Standing<'s, 'a>> = Vec::new();
    for action in INFERENCE_ACTIONS {
        let standing = Standing::of(caller, action, circumstances);
        if !standing.is_hopeless(caller) && !different.iter().any(|one| one.is_like(&standing)) {
            different.push(standing);
        }
    }
    different
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
