//! Who calls, and may they: on one snapshot, loaded once, and never across an await.

use std::{net::IpAddr, sync::Arc};

use http::HeaderValue;
use turnpike_access::{
    audit::Outcome,
    authenticate::Caller,
    choose::{Choice, ModelRequest, choose_for},
    decide::Reason,
    id::Name,
    model::ProviderKind,
    needs::Needs,
    resolve::Unresolved,
    snapshot::Snapshot,
};

use super::{
    authenticate::{Presented, identify_for},
    fence::{self, Wanted},
    reject::Refusal,
    route::Route,
    sentinel::OpenedBy,
    state::{RequestId, State},
    target::{Target, convention_name},
    ticket::{Ticket, cut},
};
use crate::metrics::Labels;

/// What a request asks for.
pub(super) struct Question<'a> {
    pub(super) route: &'static Route,
    pub(super) presented: &'a Presented<'a>,
    pub(super) client: Option<IpAddr>,
    /// The model as the client wrote it.
    pub(super) model: &'a str,
    /// `x-turnpike-provider`.
    pub(super) provider: Option<&'a str>,
    pub(super) accepts_fallback: bool,
    /// What a substitute must be able to do; looked for only where one is considered.
    pub(super) needs: &'a (dyn Fn() -> Needs + Sync),
}

/// The answer was yes: all that the rest of the request needs of the snapshot.
pub(super) struct Approved {
    pub(super) target: Arc<Target>,
    /// The name that the provider knows the model by.
    pub(super) upstream_model: String,
    /// `provider/name`.
    pub(super) model: Arc<str>,
    pub(super) decision: String,
    pub(super) position: u64,
    /// The model that was asked for, where another is served.
    pub(super) fallback_from: Option<Arc<str>>,
    /// What the provider is told of who calls, if it wants that.
    pub(super) identity: Option<HeaderValue>,
    /// Whose end is the answer's end, where the tenant chose so.
    pub(super) ends_with: Option<OpenedBy>,
}

/// Refuses those who are nobody, before their large body is read. The judgement itself comes after the body.
pub(super) fn admit(state: &State, presented: &Presented<'_>, ticket: &mut Ticket) -> Result<(), Refusal> {
    let snapshot = load(state)?;
    identify_for(Wanted::SomeModel, state, &snapshot, presented, ticket).map(|_| ())
}

/// Authenticates, resolves, decides, and finds the provider.
pub(super) fn judge(
    state: &State,
    question: &Question<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Approved, Refusal> {
    let snapshot = load(state)?;
    let position = snapshot.position().get();
    ticket.note(|record| {
        record.position = position;
        record.model_requested = Some(cut(question.model));
    });
    let caller = identify_for(Wanted::SomeModel, state, &snapshot, question.presented, ticket)?;
    let request = ModelRequest {
        action: question.route.action,
        requested: question.model,
        provider: question.provider,
        circumstances: caller.circumstances(ticket.time(), question.client),
        accepts_fallback: question.accepts_fallback,
    };
    let choice = choose_for(&snapshot, &caller, &request, question.needs).map_err(unresolved);
    let wanted = match &choice {
        Ok(choice) => Wanted::Model(choice.model.id.as_str()),
        Err(_) => Wanted::Answer,
    };
    fence::check(state, caller.tenant, wanted)?;
    let choice = choice?;
    let decision = id.decision();
    note_choice(ticket, &choice, &decision);
    if !choice.decision.allowed() {
        let hidden = caller.tenant.settings().hide_models;
        return Err(denied(&choice, hidden, question.route, decision));
    }
    let target = state
        .targets
        .get(choice.model.owner.name(), choice.model.provider)?;
    serves(target.kind, question.route)?;
    charge(ticket, &snapshot, &caller, &choice);
    ticket.label(Labels {
        provider: Some(convention_name(target.kind)),
        model: choice.model.listed.map(|model| model.id.shared()),
    });
    let model = choice.model.id.shared();
    let identity = match &target.identity {
        None => None,
        Some(audience) => {
            let now = ticket.time();
            let header = state
                .identities
                .header(&snapshot, &caller, audience, &model, &decision, now);
            Some(header.ok_or(unavailable("identity_unavailable"))?)
        }
    };
    Ok(Approved {
        target,
        identity,
        upstream_model: choice.model.upstream_name().to_owned(),
        model,
        decision,
        position,
        fallback_from: choice.fallback.map(|fallback| fallback.denied),
        ends_with: (caller.tenant.settings().end_streams).then(|| OpenedBy::of(question.presented)),
    })
}

fn denied(choice: &Choice<'_>, hidden: bool, route: &'static Route, decision: String) -> Refusal {
    // Who may use it may know of it.
    if choice.decision.reason == Reason::OverBudget {
        return Refusal::BudgetExhausted;
    }
    let reason = choice.decision.reason.as_str();
    if hidden {
        return Refusal::ModelNotFound { reason };
    }
    Refusal::Forbidden {
        action: route.action.into(),
        model: Some(choice.model.id.as_str().into()),
        decision: decision.into(),
        reason,
    }
}

pub(super) fn load(state: &State) -> Result<crate::current::Loaded, Refusal> {
    if let Some(why) = state.current.closed() {
        return Err(unavailable(why));
    }
    state.current.load().ok_or(unavailable("no_snapshot"))
}

fn unavailable(reason: &'static str) -> Refusal {
    Refusal::Unavailable {
        reason,
        retry_after: std::time::Duration::from_secs(1),
    }
}

pub(super) fn unresolved(unresolved: Unresolved) -> Refusal {
    match unresolved {
        Unresolved::Unknown => Refusal::ModelNotFound { reason: "model_unknown" },
        Unresolved::Ambiguous => Refusal::Ambiguous(
            "Several providers have a model of this name: write provider/name, or name the provider in the header \
             x-turnpike-provider."
                .into(),
        ),
    }
}

/// By the prices that this state has: of the model that is served, and of the one in whose place it is.
fn charge(ticket: &mut Ticket, snapshot: &Snapshot, caller: &Caller<'_>, choice: &Choice<'_>) {
    let served = choice.model.listed.map(|model| model.profile.prices);
    let denied = choice.fallback.as_ref().and_then(|taken| {
        let own = caller.tenant.model(&taken.denied);
        // Else it was one that the operators offer.
        let offered = || snapshot.tenant(Name::platform().as_str())?.model(&taken.denied);
        own.or_else(offered).map(|model| model.profile.prices)
    });
    ticket.charge(served, denied);
}

fn note_choice(ticket: &mut Ticket, choice: &Choice<'_>, decision: &str) {
    ticket.note(|record| {
        record.decision_id = Some(Arc::from(decision));
        record.model_served = choice.decision.allowed().then(|| choice.model.id.shared());
        record.fallback_from = choice.fallback.as_ref().map(|fallback| fallback.denied.clone());
        record.provider = Some(choice.model.provider.name.shared());
        record.environment = choice.model.environment().map(|name| name.shared());
        record.reason = Arc::from(choice.decision.reason.as_str());
        record.grants = choice.decision.grant_id().into_iter().collect();
        if choice.decision.allowed() {
            record.outcome = Outcome::Allowed;
        }
    });
}

/// Bodies are not translated: a model is asked in the way that its provider speaks.
fn serves(kind: ProviderKind, route: &Route) -> Result<(), Refusal> {
    use super::route::Endpoint::{CountTokens, Messages, Responses};
    let sentence = match (kind, route.endpoint) {
        (ProviderKind::Anthropic, Messages | CountTokens) => return Ok(()),
        (ProviderKind::Anthropic, _) => "This model speaks Anthropic's Messages API: call /v1/messages.",
        (_, Messages | CountTokens) => "This model speaks OpenAI's API: call /v1/chat/completions.",
        (ProviderKind::AzureOpenai, Responses) => {
            "This model is an Azure deployment, which has no Responses API: call /v1/chat/completions."
        }
        _ => return Ok(()),
    };
    Err(Refusal::Malformed(sentence.into()))
}
