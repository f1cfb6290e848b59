//! Carries commands out: judged, recorded and folded, as the control plane does; and shows what came of it.

use std::{fmt::Write, sync::Arc};

use turnpike_access::{
    authenticate::Caller,
    choose::{ModelRequest, choose},
    codec,
    command::Command,
    event::Event,
    grant::AuthMethod,
    id::{Name, Timestamp},
    ledger::{Refusal, handle},
    limit::Limit,
    listing::usable,
    log::{Origin, Recorded},
    snapshot::{Snapshot, Tenant},
};

use crate::{
    commands::{Step, UNFILLED, prelude, unfilled},
    world::{ALIASES, Dice, ISSUER_URLS, MODELS, START},
};

/// What has happened so far, and the state that it led to.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) log: Vec<Recorded>,
    pub(crate) snapshot: Snapshot,
    seconds: i64,
}

impl History {
    /// The furnished tenants, and then these commands; refused ones leave no trace.
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut history = Self::default();
        for step in prelude() {
            history.perform(&step).unwrap();
        }
        history.seconds = 0;
        for step in steps {
            let _ = history.perform(step);
        }
        history
    }

    pub(crate) fn now(&self) -> Timestamp {
        START.plus_seconds(self.seconds)
    }

    /// How many events a command led to, or why it was refused.
    pub(crate) fn perform(&mut self, step: &Step) -> Result<usize, Refusal> {
        self.seconds += 1;
        let command = based_on_the_present(&self.snapshot, self.now(), step);
        let events = handle(&self.snapshot, &step.tenant, self.now(), command)?;
        for event in &events {
            let recorded = self.record(&step.tenant, event);
            self.snapshot.fold(&recorded).unwrap();
            self.log.push(recorded);
        }
        Ok(events.len())
    }

    /// The event as the log's next, without folding it.
    pub(crate) fn record(&self, tenant: &Name, event: &Event) -> Recorded {
        let encoded = event.encode().unwrap();
        let origin = Origin {
            time: self.now(),
            tenant: tenant.clone(),
            actor: Arc::from("user:root"),
            correlation: Arc::from("test"),
        };
        Recorded::after(
            self.snapshot.head(),
            origin,
            encoded.kind,
            encoded.version,
            encoded.payload,
        )
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.seconds += seconds;
    }

    pub(crate) fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.snapshot.tenant(name)
    }
}

fn based_on_the_present(snapshot: &Snapshot, now: Timestamp, step: &Step) -> Command {
    let mut command = step.command.clone();
    let Some(tenant) = snapshot.tenant(step.tenant.as_str()) else {
        return command;
    };
    match &mut command {
        Command::UpdateTenant { from, .. } => *from = tenant.settings().clone(),
        Command::UpdateAccount { principal, from, .. } => {
            if let Some(held) = tenant.account(principal) {
                *from = held.account.profile.clone();
            }
        }
        Command::UpdateProvider { name, from, .. } => {
            if let Some(held) = tenant.provider(name.as_str()) {
                *from = held.profile.clone();
            }
        }
        Command::UpdateModel { id, from, .. } => {
            if let Some(held) = tenant.model(id.as_str()) {
                *from = held.profile.clone();
            }
        }
        Command::UpdateIssuer { name, from, .. } => {
            if let Some(held) = tenant.issuer(name.as_str()) {
                *from = held.profile.clone();
            }
        }
        Command::UpdateTeam { name, from, .. } => {
            if let Some(held) = tenant.team(name.as_str()) {
                *from = held.team.profile.clone();
            }
        }
        Command::UpdateGrant { from, to } => {
            if let Some(held) = tenant.grant(to.id) {
                **from = held.grant.clone();
            }
        }
        Command::UpdateLimit { from, .. } => fill_limit(tenant, from),
        Command::SpendLimit { limit, .. } if limit.budget == UNFILLED => fill_limit(tenant, limit),
        Command::UpdateRole { from, to } => {
            if let Some(held) = tenant.role(to.name.as_str()) {
                *from = held.as_ref().clone();
            }
        }
        Command::ApproveAccess { id, grant } if grant.id == unfilled() => {
            if let Some(held) = tenant.access_request(*id) {
                *grant = held.request.grant(held.request.id, now, None);
            }
        }
        _ => {}
    }
    command
}

fn fill_limit(tenant: &Tenant, limit: &mut Limit) {
    let mut limits = tenant.limits().iter();
    if let Some(held) = limits.find(|held| held.limit.name == limit.name) {
        *limit = held.limit.clone();
    }
}

/// Everything that a snapshot holds and everything that it answers, the same for equal states.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut lines = lines(snapshot);
    lines.sort();
    lines.push(format!("{:?}\n", snapshot.token_keys()));
    lines.push(named(snapshot));
    for tenant in snapshot.tenants() {
        lines.push(format!("{:?}\n", tenant.fallbacks()));
        lines.push(answers(snapshot, tenant));
    }
    lines.concat()
}

/// What is found by an issuer's URL, and by an address or a subject.
fn named(snapshot: &Snapshot) -> String {
    let mut told = String::new();
    for url in ISSUER_URLS {
        for (tenant, issuer) in snapshot.issuers_at(url) {
            writeln!(told, "{url}: {} {}", tenant.name(), issuer.name).unwrap();
        }
    }
    for tenant in snapshot.tenants() {
        for held in tenant.accounts() {
            let profile = &held.account.profile;
            let email = profile
                .email
                .as_ref()
                .map(|email| tenant.by_email(&email.to_lowercase()));
            let subjects = profile.subjects.iter().map(|one| tenant.by_subject(one));
            writeln!(told, "{email:?} {:?}", subjects.collect::<Vec<_>>()).unwrap();
        }
    }
    told
}

/// The lines of a snapshot as it is stored.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    codec::encode::<serde_json::Error>(snapshot, |line| {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
        Ok(())
    })
    .unwrap();
    lines
}

/// What every principal of a tenant is answered about every model, by each of its names.
pub(crate) fn answers(snapshot: &Snapshot, tenant: &Tenant) -> String {
    let mut told = String::new();
    for held in tenant.accounts() {
        let caller = caller(tenant, &held.account.principal.to_string());
        told.push_str(&answers_to(snapshot, &caller));
    }
    told
}

/// What one caller is answered.
pub(crate) fn answers_to(snapshot: &Snapshot, caller: &Caller<'_>) -> String {
    let who = caller.principal;
    let circumstances = Dice::new(&[30, 1]).circumstances();
    let mut told = String::new();
    for requested in MODELS.iter().chain(&ALIASES).chain(&["large", "open/unlisted"]) {
        let request = ModelRequest {
            action: "inference.chat",
            requested,
            provider: None,
            circumstances,
            accepts_fallback: true,
        };
        let answer = match choose(snapshot, caller, &request) {
            Ok(choice) => format!(
                "{} {:?} {:?} {:?}",
                choice.model.id,
                choice.decision.reason,
                choice.decision.grant_id(),
                choice.fallback
            ),
            Err(unresolved) => format!("{unresolved:?}"),
        };
        writeln!(told, "{who} {requested}: {answer}").unwrap();
    }
    for model in usable(snapshot, caller, circumstances) {
        writeln!(told, "{who} may use {}", model.id).unwrap();
    }
    told
}

/// A principal of the tenant as a caller, by no particular key.
pub(crate) fn caller<'s>(tenant: &'s Tenant, principal: &str) -> Caller<'s> {
    let held = tenant.account(&principal.parse().unwrap()).unwrap();
    Caller::of(tenant, held, AuthMethod::ApiKey)
}
