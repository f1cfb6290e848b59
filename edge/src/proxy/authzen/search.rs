//! Searches (section 8): the candidates that the tenant knows, and of them those that an evaluation would allow.
//!
//! Candidates are the accounts of the tenant; its models, providers and teams, and what its grants name of other types;
//! the actions of inference on models, and what its own roles name.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use turnpike_access::{
    audit::Outcome,
    authenticate::Caller,
    choose::INFERENCE_ACTIONS,
    decide::{Request, decide},
    grant::Circumstances,
    pattern::Resource,
    resolve::resolve,
    snapshot::Tenant,
};

use super::{
    evaluate::{Asking, Fault},
    page::{Page, Told},
    question::{Parts, What, Who},
    read::{self, Evaluation},
    subject,
};
use crate::proxy::{
    route::AuthZen,
    ruling::Thing,
    ticket::{Ticket, cut},
};

/// The answer; the page comes first, as section 8.3 recommends.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<Told>,
    results: Vec<Item>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Entity { r#type: String, id: String },
    Action { name: String },
}

/// Looks for what the question leaves out.
pub(super) fn search(
    asking: &Asking<'_>,
    question: AuthZen,
    known: &Evaluation,
    page: Option<&read::Page>,
    ticket: &mut Ticket,
) -> Result<Found, Fault> {
    let nothing = Evaluation::default();
    let parts = Parts::of(known, &nothing);
    // Written by the same types for every page of one search.
    let page = Page::of(page, &format!("{question:?} {parts:?}"))?;
    let found = match question {
        AuthZen::SearchSubject => subjects(asking, &parts, page, ticket),
        AuthZen::SearchResource => resources(asking, &parts, page, ticket),
        _ => actions(asking, &parts, page, ticket),
    };
    if found.is_ok() {
        ticket.note(|record| {
            record.outcome = Outcome::Allowed;
            record.reason = Arc::from("granted");
        });
    }
    found
}

fn subjects(asking: &Asking<'_>, parts: &Parts<'_>, page: Page, ticket: &mut Ticket) -> Result<Found, Fault> {
    let kind = parts.subject_type()?;
    let action = note(parts.action()?, ticket);
    let what = parts.what()?;
    let setting = parts.setting(ticket.time())?;
    asking.may_ask(Who { kind, id: "*" })?;
    let tenant = asking.caller.tenant;
    let accounts = tenant.accounts().into_iter();
    let accounts: Vec<_> = accounts
        .filter(|held| subject::is_of(kind, &held.account.principal))
        .collect();
    let (found, page) = page.take(accounts.into_iter(), |held| {
        let who = Caller::of(tenant, held, setting.method());
        !held.account.profile.deactivated
            && allows(asking, &who, action, &what.thing(), setting.circumstances(&who))
    });
    let entity = |id: &str| Item::entity(kind, id);
    let results = found
        .iter()
        .map(|held| entity(held.account.principal.name().as_str()));
    Ok(Found {
        page,
        results: results.collect(),
    })
}

fn resources(
    asking: &Asking<'_>,
    parts: &Parts<'_>,
    page: Page,
    ticket: &mut Ticket,
) -> Result<Found, Fault> {
    let who = about(parts, ticket)?;
    let action = note(parts.action()?, ticket);
    let kind = parts.resource_type()?;
    let setting = parts.setting(ticket.time())?;
    // What is said of all of them is said well, or of none.
    parts.described(kind, "*")?;
    asking.may_ask(who)?;
    let tenant = asking.caller.tenant;
    let names = match subject::find(tenant, who, setting.method()) {
        Ok(_) => names(tenant, kind),
        Err(_) => BTreeSet::new(),
    };
    let (found, page) = page.take(names.into_iter().collect::<Vec<_>>().into_iter(), |name| {
        let Ok(who) = subject::find(tenant, who, setting.method()) else {
            return false;
        };
        parts
            .described(kind, name)
            .is_ok_and(|what| allows(asking, &who, action, &what.thing(), setting.circumstances(&who)))
    });
    Ok(Found {
        page,
        results: found.iter().map(|name| Item::entity(kind, name)).collect(),
    })
}

fn actions(asking: &Asking<'_>, parts: &Parts<'_>, page: Page, ticket: &mut Ticket) -> Result<Found, Fault> {
    let who = about(parts, ticket)?;
    let what = parts.what()?;
    let setting = parts.setting(ticket.time())?;
    asking.may_ask(who)?;
    let tenant = asking.caller.tenant;
    let found = match subject::find(tenant, who, setting.method()) {
        Err(_) => page.take(std::iter::empty(), |_: &Arc<str>| false),
        Ok(who) => page.take(verbs(tenant, &what).into_iter(), |action| {
            allows(asking, &who, action, &what.thing(), setting.circumstances(&who))
        }),
    };
    let (found, page) = found;
    let results = found.into_iter().map(|name| Item::Action {
        name: name.as_ref().to_owned(),
    });
    Ok(Found {
        page,
        results: results.collect(),
    })
}

/// By the function that evaluates, so that what is found is allowed when it is asked for.
fn allows<'s>(
    asking: &Asking<'s>,
    who: &Caller<'s>,
    action: &str,
    thing: &Thing<'_>,
    circumstances: Circumstances<'_>,
) -> bool {
    let decided = |resource: Resource<'_>| {
        let request = Request {
            action,
            resource,
            circumstances,
        };
        decide(asking.snapshot, who, &request).allowed()
    };
    match *thing {
        Thing::Other(resource) => decided(resource),
        Thing::Model { requested, provider } => {
            match resolve(asking.snapshot, who.tenant, requested, provider) {
                Ok(model) => decided(model.resource()),
                Err(_) => false,
            }
        }
    }
}

/// What exists of a type, or is named in a grant.
fn names(tenant: &Tenant, kind: &str) -> BTreeSet<Arc<str>> {
    match kind {
        "model" => tenant.models().iter().map(|model| model.id.shared()).collect(),
        "provider" => tenant.providers().iter().map(|one| one.name.shared()).collect(),
        "team" => tenant
            .teams()
            .iter()
            .map(|held| held.team.name.shared())
            .collect(),
        _ => {
            let grants = tenant.grants().into_iter();
            let named = grants.flat_map(|held| held.grant.selector.resources.iter());
            named
                .filter(|one| one.kind.as_str() == kind && !one.name.as_str().contains('*'))
                .map(|one| Arc::from(one.name.as_str()))
                .collect()
        }
    }
}

/// The actions that a role of the tenant's own names, and on models those of inference.
fn verbs(tenant: &Tenant, what: &What<'_>) -> Vec<Arc<str>> {
    let roles = tenant.roles();
    let own = roles
        .iter()
        .filter(|role| turnpike_access::role::built_in(role.name.as_str()).is_none());
    let named = own.flat_map(|role| role.actions.iter().map(|pattern| pattern.as_str()));
    let mut verbs: BTreeSet<Arc<str>> = named.filter(|name| !name.contains('*')).map(Arc::from).collect();
    if what.kind == "model" {
        verbs.extend(INFERENCE_ACTIONS.map(Arc::from));
    }
    verbs.into_iter().collect()
}

fn about<'q>(parts: &Parts<'q>, ticket: &mut Ticket) -> Result<Who<'q>, Fault> {
    let who = parts.who()?;
    ticket.note(|record| record.subject = Some(cut(&who.to_string())));
    Ok(who)
}

fn note<'q>(action: &'q str, ticket: &mut Ticket) -> &'q str {
    ticket.note(|record| record.action = Some(cut(action)));
    action
}

impl Item {
    fn entity(kind: &str, id: &str) -> Self {
        Self::Entity {
            r#type: kind.to_owned(),
            id: id.to_owned(),
        }
    }
}
