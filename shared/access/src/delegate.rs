//! Delegated administration: who may administer a team may administer what belongs to it, and lend what it has itself.
//!
//! A virtual account belongs to its teams, a key to its virtual account, and a grant to whom it is made. What belongs to
//! teams is judged for each of them as for the team itself: a grant on resource type `team`, such as
//! `--role team-admin --resource team:payments`. Of what is lent by such authority, everything must be contained in
//! what the lender has: a member gets the team's grants, whoever gets a key may do what its account may, and a new grant
//! may not exceed the lender's own. Users belong to the tenant: they are members, and their keys stay theirs.

use crate::{
    authenticate::Caller,
    command::{Command, Holders, Permission},
    contain,
    decide::{Request, candidates, decide, examine},
    grant::{Circumstances, Conditions, Effect, Grant, Subject},
    id::{Id, Name, Principal},
    pattern::{Resource, ResourcePattern, Selector, SetOperator, SetTest, TagTest},
    role::Role,
    snapshot::{HeldAccount, HeldGrant, Snapshot, Tenant},
    tenant::AccountProfile,
};

/// Whether a permission that the caller has not got for the thing itself follows from the teams that it belongs to.
pub fn permitted(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    permission: &Permission,
    circumstances: Circumstances<'_>,
) -> bool {
    let teams = belongs_to(snapshot, caller.tenant, permission);
    administers(snapshot, caller, permission.action, &teams, circumstances)
}

/// What the teams that somebody administers say of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delegated {
    /// It follows from them, and lends nothing that the caller has not got.
    Follows,
    /// It is about them, and would lend more than the caller has.
    Exceeds,
    /// It is about something else.
    Elsewhere,
}

/// Whether a command that the caller may not give at large follows from the teams that it administers.
pub fn commanded(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    command: &Command,
    action: &str,
    circumstances: Circumstances<'_>,
) -> Delegated {
    let tenant = caller.tenant;
    let teams = concerned(snapshot, tenant, command);
    if !administers(snapshot, caller, action, &teams, circumstances) {
        return Delegated::Elsewhere;
    }
    match (Lender { snapshot, caller }).may(command, &teams) {
        true => Delegated::Follows,
        false => Delegated::Exceeds,
    }
}

/// Whether a command about a team that the caller may give for single teams, not at large, must be judged by
/// [`commanded`] too: it changes who has the team's grants.
pub fn is_limited(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    command: &Command,
    action: &str,
    circumstances: Circumstances<'_>,
) -> bool {
    let joins_or_leaves = matches!(
        command,
        Command::AddTeamMember { .. } | Command::RemoveTeamMember { .. } | Command::DeleteTeam { .. }
    );
    joins_or_leaves && !granted(snapshot, caller, action, "team", "", circumstances)
}

/// Whether somebody who administers a team may give it an action on a thing: by its name, or as it was given to the lender.
pub fn may_lend(snapshot: &Snapshot, caller: &Caller<'_>, team: &Name, request: &Request<'_>) -> bool {
    let Request {
        action,
        resource,
        circumstances,
    } = *request;
    let (Ok(kind), Ok(name), Ok(verb)) = (resource.kind.parse(), resource.name.parse(), action.parse())
    else {
        return false;
    };
    let role = Role {
        name: team.clone(),
        actions: vec![verb],
        description: None,
    };
    let grant = |selector, conditions| Grant {
        id: Id::from_random(0),
        subject: Subject::Team(team.clone()),
        role: role.name.clone(),
        effect: Effect::Allow,
        selector,
        conditions,
        reason: None,
        owner: None,
    };
    let by_name = Selector {
        resources: vec![ResourcePattern { kind, name }],
        ..Selector::default()
    };
    let lender = Lender { snapshot, caller };
    let gives =
        |held: &&HeldGrant| held.grant.effect == Effect::Allow && examine(held, caller, request).is_ok();
    let as_given = |held: &HeldGrant| {
        let selector = as_of_the_holder(&held.grant.selector, caller);
        lender.has(&grant(selector, held.grant.conditions.clone()), &role)
    };
    administers(
        snapshot,
        caller,
        "grants.write",
        std::slice::from_ref(team),
        circumstances,
    ) && (lender.has(&grant(by_name, Conditions::default()), &role)
        || candidates(caller).filter(gives).any(as_given))
}

/// What asks for the holder's own tags, asking for their values: to whom it is lent may have others.
fn as_of_the_holder(selector: &Selector, holder: &Caller<'_>) -> Selector {
    let mut selector = selector.clone();
    for key in std::mem::take(&mut selector.match_tags) {
        let own = holder.tags().and_then(|tags| tags.get(&key));
        selector.tags.push(TagTest {
            test: SetTest {
                operator: SetOperator::In,
                values: own.cloned().into_iter().collect(),
            },
            key,
        });
    }
    selector
}

fn administers(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    action: &str,
    teams: &[Name],
    circumstances: Circumstances<'_>,
) -> bool {
    let one = |team: &Name| granted(snapshot, caller, action, "team", team.as_str(), circumstances);
    !teams.is_empty() && teams.iter().all(one)
}

fn granted(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    action: &str,
    kind: &str,
    name: &str,
    circumstances: Circumstances<'_>,
) -> bool {
    let request = Request {
        action,
        resource: Resource::named(kind, name),
        circumstances,
    };
    decide(snapshot, caller, &request).allowed()
}

fn belongs_to(snapshot: &Snapshot, tenant: &Tenant, permission: &Permission) -> Vec<Name> {
    let Permission { kind, name, .. } = permission;
    match *kind {
        "team" => name.parse().into_iter().collect(),
        "virtual-account" => name.parse().map_or(Vec::new(), |name| {
            teams_of(tenant, &Principal::VirtualAccount(name))
        }),
        // Whose an account is asked about may be written whole, as `explain` does.
        "access" => name.parse().map_or(Vec::new(), |who| teams_of(tenant, &who)),
        "credential" => name.parse().map_or(Vec::new(), |id| of_key(snapshot, tenant, id)),
        "grant" => {
            let held = name.parse().ok().and_then(|id: Id| tenant.grant(id));
            held.map_or(Vec::new(), |held| of_subject(tenant, &held.grant.subject))
        }
        _ => Vec::new(),
    }
}

/// The teams that a command is about, all of which must be the caller's to administer; none where it is about something
/// that belongs to the tenant.
fn concerned(snapshot: &Snapshot, tenant: &Tenant, command: &Command) -> Vec<Name> {
    match command {
        Command::AddTeamMember { team, .. }
        | Command::RemoveTeamMember { team, .. }
        | Command::DeleteTeam { name: team } => vec![team.clone()],
        Command::CreateAccount {
            principal: Principal::VirtualAccount(_),
            teams,
            ..
        } => teams.clone(),
        Command::UpdateAccount { principal, .. } | Command::DeleteAccount { principal } => {
            teams_of(tenant, principal)
        }
        Command::IssueCredential(credential) => teams_of(tenant, &credential.owner),
        Command::RotateCredential { id, .. }
        | Command::SuspendCredential { id, .. }
        | Command::ResumeCredential { id, .. }
        | Command::RevokeCredential { id, .. }
        | Command::NarrowCredential { id, .. } => of_key(snapshot, tenant, *id),
        Command::RevokeCredentials {
            of: Holders::Principal(owner),
            ..
        } => teams_of(tenant, owner),
        Command::CreateGrant(grant) => of_subject(tenant, &grant.subject),
        Command::DeleteGrant { id } => tenant
            .grant(*id)
            .map_or(Vec::new(), |held| of_subject(tenant, &held.grant.subject)),
        _ => Vec::new(),
    }
}

/// A virtual account's teams. A user is nobody's but the tenant's.
fn teams_of(tenant: &Tenant, principal: &Principal) -> Vec<Name> {
    match principal {
        Principal::VirtualAccount(_) => tenant
            .account(principal)
            .map_or(Vec::new(), |held| held.account.teams.clone()),
        Principal::User(_) => Vec::new(),
    }
}

fn of_key(snapshot: &Snapshot, tenant: &Tenant, id: Id) -> Vec<Name> {
    let held = snapshot
        .credential(id)
        .filter(|held| held.tenant == *tenant.name());
    held.map_or(Vec::new(), |held| teams_of(tenant, &held.owner))
}

fn of_subject(tenant: &Tenant, subject: &Subject) -> Vec<Name> {
    match subject {
        Subject::Team(team) => vec![team.clone()],
        Subject::Principal(principal) => teams_of(tenant, principal),
        Subject::Group { .. } => Vec::new(),
    }
}

/// Somebody who administers teams, and lends.
struct Lender<'c, 's> {
    snapshot: &'s Snapshot,
    caller: &'c Caller<'s>,
}

impl Lender<'_, '_> {
    fn may(&self, command: &Command, teams: &[Name]) -> bool {
        let tenant = self.caller.tenant;
        let account = |principal: &Principal| {
            tenant
                .account(principal)
                .is_some_and(|held| self.has_all_of(held))
        };
        let key = |id: &Id| {
            let held = self.snapshot.credential(*id);
            held.is_some_and(|held| account(&held.owner))
        };
        match command {
            Command::AddTeamMember { team, principal } => {
                self.has_all_of_team(team) && self.may_join(principal, teams)
            }
            Command::CreateAccount { profile, teams, .. } => {
                teams.iter().all(|team| self.has_all_of_team(team))
                    && self.own_tags(&AccountProfile::default(), profile)
            }
            Command::UpdateAccount { principal, from, to } => account(principal) && self.own_tags(from, to),
            Command::IssueCredential(credential) => account(&credential.owner),
            Command::RotateCredential { id, .. } | Command::ResumeCredential { id, .. } => key(id),
            Command::CreateGrant(grant) => self.may_grant(grant),
            // What forbids was made by somebody who wanted it so.
            Command::DeleteGrant { id } => tenant
                .grant(*id)
                .is_some_and(|held| held.grant.effect == Effect::Allow),
            // Likewise whoever leaves a team escapes what is forbidden to it.
            Command::RemoveTeamMember { team, .. } | Command::DeleteTeam { name: team } => {
                let held = tenant.team(team.as_str());
                held.is_some_and(|held| held.grants.iter().all(|one| one.grant.effect == Effect::Allow))
            }
            // These only take away.
            Command::DeleteAccount { .. }
            | Command::SuspendCredential { .. }
            | Command::RevokeCredential { .. }
            | Command::NarrowCredential { .. }
            | Command::RevokeCredentials { .. } => true,
            _ => false,
        }
    }

    /// A virtual account that joins would be the team's too, its keys among what the team's administrators give out.
    fn may_join(&self, principal: &Principal, teams: &[Name]) -> bool {
        match principal {
            Principal::User(_) => true,
            Principal::VirtualAccount(_) => {
                let of = teams_of(self.caller.tenant, principal);
                of.iter().all(|team| teams.contains(team)) && !of.is_empty()
            }
        }
    }

    fn may_grant(&self, grant: &Grant) -> bool {
        let own = matches!(&grant.subject, Subject::Principal(who) if who == self.caller.principal);
        let role = self.caller.tenant.role(grant.role.as_str());
        // Whoever forbids its own team something widens nothing.
        let gives = grant.effect == Effect::Allow;
        !own && role.is_some_and(|role| !gives || self.has(grant, &role))
    }

    fn has_all_of(&self, held: &HeldAccount) -> bool {
        let teams = held.account.teams.iter();
        held.grants.iter().all(|one| self.has_held(one))
            && teams.into_iter().all(|team| self.has_all_of_team(team))
    }

    fn has_all_of_team(&self, team: &Name) -> bool {
        let held = self.caller.tenant.team(team.as_str());
        held.is_some_and(|held| held.grants.iter().all(|one| self.has_held(one)))
    }

    fn has_held(&self, held: &HeldGrant) -> bool {
        held.grant.effect == Effect::Deny || self.has(&held.grant, &held.role)
    }

    /// Whether the caller has all that a grant gives: by one of its own, none of those that forbid it something in the
    /// way, and by a key that is not narrowed.
    fn has(&self, grant: &Grant, role: &Role) -> bool {
        let narrowed =
            self.caller.scope.is_some() || self.caller.credential.is_some_and(|held| held.scope.is_some());
        let gives = |held: &HeldGrant| {
            contain::role(&held.role, role)
                && contain::selector(&held.grant.selector, &grant.selector, self.caller.tags())
                && contain::conditions(&held.grant.conditions, &grant.conditions)
        };
        let in_the_way = |held: &HeldGrant| {
            !contain::roles_apart(&held.role, role) && !contain::apart(&held.grant.selector, &grant.selector)
        };
        let mut own = candidates(self.caller);
        let mut forbidding = candidates(self.caller).filter(|held| held.grant.effect == Effect::Deny);
        !narrowed
            && own.any(|held| held.grant.effect == Effect::Allow && gives(held))
            && !forbidding.any(in_the_way)
    }

    /// A tag may open what matches it, so that only the lender's own are given out, and none is taken away.
    fn own_tags(&self, from: &AccountProfile, to: &AccountProfile) -> bool {
        let own = self.caller.tags();
        let kept = from.tags.keys().all(|key| to.tags.contains_key(key));
        let changed = to
            .tags
            .iter()
            .filter(|(key, value)| from.tags.get(*key) != Some(*value));
        kept && changed
            .into_iter()
            .all(|(key, value)| own.and_then(|tags| tags.get(key)) == Some(value))
    }
}
