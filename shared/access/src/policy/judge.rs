//! Whether the tests of a policy hold in a state, by the one decision function; of those that fail, why.

use std::{fmt, sync::Arc};

use super::{Question, Test};
use crate::{
    authenticate::Caller,
    choose::{ModelRequest, choose},
    decide::{Decision, Request, decide},
    explain::explain,
    grant::{AuthMethod, Circumstances, MethodRule},
    id::{Name, Principal, Timestamp},
    pattern::Resource,
    resolve::Unresolved,
    snapshot::{Snapshot, Tenant},
};

/// A test that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What was asserted, in the words of the file.
    pub test: String,
    /// What is so instead, and why.
    pub why: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, question) = match self {
            Self::May(question) => ("may", question),
            Self::MayNot(question) => ("may-not", question),
        };
        let about = question.model.as_ref().map(ToString::to_string);
        let about = about.or_else(|| question.resource.as_ref().map(ToString::to_string));
        write!(
            f,
            "{word}: {} {} {}",
            question.principal,
            question.action,
            about.unwrap_or_default()
        )?;
        match &question.served {
            Some(served) => write!(f, ", served {served}"),
            None => Ok(()),
        }
    }
}

/// The tests of a tenant that do not hold, in their order. Budgets are not looked at: the same file passes on every day.
pub fn failing(snapshot: &Snapshot, tenant: &Name, tests: &[Test], now: Timestamp) -> Vec<Failed> {
    let snapshot = &snapshot.with_nothing_spent();
    let Some(tenant) = snapshot.tenant(tenant.as_str()) else {
        return Vec::new();
    };
    let fails = |test: &Test| {
        let (wanted, question) = match test {
            Test::May(question) => (true, question),
            Test::MayNot(question) => (false, question),
        };
        let answer = ask(snapshot, tenant, question, now);
        (answer.allowed != wanted).then(|| Failed {
            test: test.to_string(),
            why: answer.why,
        })
    };
    tests.iter().filter_map(fails).collect()
}

struct Answer {
    allowed: bool,
    why: String,
}

fn no(why: impl Into<String>) -> Answer {
    Answer {
        allowed: false,
        why: why.into(),
    }
}

fn ask(snapshot: &Snapshot, tenant: &Tenant, question: &Question, now: Timestamp) -> Answer {
    let MethodRule { method, issuer } = proof(question);
    let now = question.time.map_or(now, |time| time.0);
    let token = method != AuthMethod::ApiKey;
    let age = question.token_age_seconds.unwrap_or_default();
    let circumstances = Circumstances {
        now,
        method,
        issuer: issuer.as_ref(),
        issued: token.then(|| now.plus_seconds(-i64::from(age))),
        client: question.client,
    };
    let groups = question.groups.iter();
    let groups: Vec<(Name, Arc<str>)> = groups
        .map(|one| (one.issuer.clone(), one.value.clone()))
        .collect();
    let Some(caller) = calling(tenant, &question.principal, method, issuer.as_ref(), &groups) else {
        return no(format!("there is no {}", question.principal));
    };
    if tenant.settings().suspended {
        return no("the tenant is suspended");
    }
    if caller
        .account
        .is_some_and(|held| held.account.profile.deactivated)
    {
        return no(format!("{} is deactivated", question.principal));
    }
    match (&question.model, &question.resource) {
        (Some(model), _) => of_model(snapshot, &caller, question, model, circumstances),
        (None, Some(resource)) => {
            let request = Request {
                action: &question.action,
                resource: Resource::named(resource.kind.as_str(), &resource.name),
                circumstances,
            };
            told(snapshot, &caller, &request, &decide(snapshot, &caller, &request))
        }
        (None, None) => no("nothing is asked"),
    }
}

/// How the caller proves who it is: as the test says, or as its groups imply.
fn proof(question: &Question) -> MethodRule {
    let of_groups = || MethodRule {
        method: AuthMethod::Jwt,
        issuer: question.groups.first().map(|group| group.issuer.clone()),
    };
    match &question.method {
        Some(rule) => rule.clone(),
        None if question.groups.is_empty() => AuthMethod::ApiKey.into(),
        None => of_groups(),
    }
}

/// The principal as it would call; a user that is not recorded, as its issuer's defaults have it.
fn calling<'s>(
    tenant: &'s Tenant,
    principal: &'s Principal,
    method: AuthMethod,
    issuer: Option<&Name>,
    groups: &'s [(Name, Arc<str>)],
) -> Option<Caller<'s>> {
    if let Some(held) = tenant.account(principal) {
        return Some(Caller {
            groups,
            ..Caller::of(tenant, held, method)
        });
    }
    let issuer = tenant.issuer(issuer?.as_str())?;
    let defaults = issuer.profile.just_in_time.as_ref()?;
    Some(Caller {
        groups,
        ..Caller::unrecorded(tenant, principal, &defaults.teams, method)
    })
}

fn of_model(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    question: &Question,
    model: &str,
    circumstances: Circumstances<'_>,
) -> Answer {
    let request = ModelRequest {
        action: &question.action,
        requested: model,
        provider: None,
        circumstances,
        accepts_fallback: question.served.is_some(),
    };
    let choice = match choose(snapshot, caller, &request) {
        Ok(choice) => choice,
        Err(Unresolved::Unknown) => return no(format!("there is no model {model}")),
        Err(Unresolved::Ambiguous) => return no(format!("several providers have a model {model}")),
    };
    let judged = Request {
        action: &question.action,
        resource: choice.model.resource(),
        circumstances,
    };
    let answer = told(snapshot, caller, &judged, &choice.decision);
    match &question.served {
        Some(served) if answer.allowed && *served != choice.model.id => {
            no(format!("{} is served in its place", choice.model.id))
        }
        _ => answer,
    }
}

/// The decision, and the grant that made it or was the nearest.
fn told(snapshot: &Snapshot, caller: &Caller<'_>, request: &Request<'_>, decision: &Decision<'_>) -> Answer {
    let named = |held: &crate::snapshot::HeldGrant| {
        let grant = &held.grant;
        format!("{} ({} as {})", grant.id, grant.subject, grant.role)
    };
    let explained = explain(snapshot, caller, request);
    let why = match (decision.grant, explained.considered.first()) {
        (Some(held), _) => format!("{}: grant {}", decision.reason.sentence(), named(held)),
        (None, Some(nearest)) => format!(
            "{}; the nearest is grant {}: {}",
            decision.reason.sentence(),
            named(nearest.held),
            nearest.sentence()
        ),
        (None, None) => format!(
            "{}; nothing is granted to {}",
            decision.reason.sentence(),
            caller.principal
        ),
    };
    Answer {
        allowed: decision.allowed(),
        why,
    }
}
