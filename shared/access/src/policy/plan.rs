//! What leads from a tenant as it is to what a policy says: commands in an order in which each is possible.
//!
//! Things are made before they are used and ended after they were. What the policy does not name, in a section that it
//! has, is ended only where that was asked for. The plan is tried out on a copy of the state, by the ledger and the fold:
//! what would change nothing is left out, and what would be refused fails the whole.

use std::{collections::BTreeMap, fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::Policy;
use crate::{
    command::Command,
    event::{Encoded, Event},
    id::{Id, Name, Timestamp},
    ledger::Refusal,
    snapshot::{Snapshot, Tenant},
};

mod catalogue;
mod change;
mod limits;
mod offers;
mod people;
mod rehearse;
mod rights;
mod secret;

pub use secret::{GivenSecret, Secrets};

/// What is wanted, and what may be done about it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'p> {
    /// What the file says.
    pub policy: &'p Policy,
    /// What the file's sections do not name is ended.
    pub prune: bool,
    /// So are grants that somebody was approved for some time, which else are kept: they end by themselves.
    pub prune_approved: bool,
    /// The secrets that the file speaks of.
    pub secrets: &'p Secrets,
}

/// What would be done, in this order, and what would be so then.
#[derive(Debug, Clone)]
pub struct Plan {
    /// One command each.
    pub steps: Vec<Step>,
    /// What is there, is not named by the file, and stays: `user "bob"`.
    pub unmanaged: Vec<String>,
    /// What else whoever reads the plan should know.
    pub notes: Vec<String>,
    /// The state after all of it.
    pub after: Arc<Snapshot>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Makes something.
    Create,
    /// Changes something.
    Update,
    /// Ends something.
    Delete,
}

/// One command of a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// Makes, changes or ends.
    pub verb: Verb,
    /// Team, user …
    pub what: &'static str,
    /// Its name; of what has none, whom it is about.
    pub name: String,
    /// What it will be, is changed to, or was: a field each. Never a secret.
    pub details: Vec<String>,
    /// What is asked for.
    pub command: Command,
    /// What would be recorded.
    pub events: Vec<Event>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        };
        write!(f, "{verb} {} {}", self.what, self.name)
    }
}

impl Step {
    /// What would be recorded, for people: sealed secrets are left out.
    pub fn recorded(&self) -> Vec<Encoded> {
        let encoded = self.events.iter().filter_map(|event| event.encode().ok());
        let shown = |one: Encoded| Encoded {
            payload: change::without_secrets(&one.payload),
            ..one
        };
        encoded.map(shown).collect()
    }
}

impl Plan {
    /// A short text that is the same for plans that do the same. Ids and sealed secrets that are made anew each time make
    /// no difference.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for step in &self.steps {
            hash.update(step.to_string());
            for detail in &step.details {
                hash.update("\n");
                hash.update(detail);
            }
            hash.update("\0");
        }
        let half = hash.finalize();
        half.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Makes a plan for a tenant. `ids` makes the ids of what has none yet; `actor` is who would be recorded.
///
/// # Errors
/// If a step would be refused, or the policy asks for what there cannot be.
pub fn plan(
    snapshot: &Snapshot,
    tenant: &Name,
    wanted: Wanted<'_>,
    (now, actor): (Timestamp, &Arc<str>),
    ids: &mut dyn FnMut() -> Id,
) -> Result<Plan, Refusal> {
    let held = snapshot
        .tenant(tenant.as_str())
        .ok_or_else(|| Refusal::NotFound {
            what: "tenant",
            name: tenant.to_string(),
        })?;
    let mut draft = Draft {
        tenant: held,
        wanted,
        now,
        ids,
        phases: BTreeMap::new(),
        unmanaged: Vec::new(),
        notes: Vec::new(),
    };
    draft.settings();
    draft.people();
    draft.catalogue()?;
    draft.rights()?;
    draft.offers();
    draft.limits()?;
    let Draft {
        phases,
        unmanaged,
        notes,
        ..
    } = draft;
    let steps = phases.into_values().flatten().collect();
    let (steps, after) = rehearse::rehearse(snapshot, tenant, steps, now, actor)?;
    Ok(Plan {
        steps,
        unmanaged,
        notes,
        after: Arc::new(after),
    })
}

/// The order of steps. What comes later may need what comes before; what is ended goes in the opposite order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Settings,
    Teams,
    Roles,
    Accounts,
    Members,
    Issuers,
    Providers,
    Models,
    Aliases,
    Fallbacks,
    Grants,
    Offers,
    Limits,
    LimitsEnd,
    OffersEnd,
    GrantsEnd,
    FallbacksEnd,
    AliasesEnd,
    ModelsEnd,
    ProvidersEnd,
    IssuersEnd,
    MembersEnd,
    AccountsEnd,
    RolesEnd,
    TeamsEnd,
}

/// A plan that is being made.
struct Draft<'s, 'p> {
    tenant: &'s Tenant,
    wanted: Wanted<'p>,
    now: Timestamp,
    ids: &'p mut dyn FnMut() -> Id,
    phases: BTreeMap<Phase, Vec<Step>>,
    unmanaged: Vec<String>,
    notes: Vec<String>,
}

impl Draft<'_, '_> {
    fn step(
        &mut self,
        phase: Phase,
        (verb, what, name): (Verb, &'static str, impl fmt::Display),
        details: Vec<String>,
        command: Command,
    ) {
        self.phases.entry(phase).or_default().push(Step {
            verb,
            what,
            name: name.to_string(),
            details,
            command,
            events: Vec::new(),
        });
    }

    /// What the file does not name: ended, or told of.
    fn left_over(
        &mut self,
        phase: Phase,
        (what, name): (&'static str, impl fmt::Display),
        details: Vec<String>,
        command: Command,
    ) {
        match self.wanted.prune {
            true => self.step(phase, (Verb::Delete, what, name), details, command),
            false => self.unmanaged.push(format!("{what} {name}")),
        }
    }

    fn settings(&mut self) {
        let Some(to) = &self.wanted.policy.tenant else {
            return;
        };
        let from = self.tenant.settings().clone();
        let details = change::between(&from, to);
        if !details.is_empty() {
            let to = to.clone();
            let step = (Verb::Update, "tenant", self.tenant.name().clone());
            self.step(Phase::Settings, step, details, Command::UpdateTenant { from, to });
        }
    }
}
