//! One line for everybody and each of their grants, with what a reviewer should look at.

use std::fmt;

use super::{Review, Use};
use crate::{
    authenticate::Caller,
    decide::candidates,
    grant::{AuthMethod, Effect, Subject},
    id::{Id, Principal},
    pattern::Glob,
    snapshot::{HeldAccount, HeldGrant, Tenant},
};

/// What a reviewer should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nobody has used the grant since the moment, though it was there.
    Unused,
    /// The role covers what nobody did: its pattern, and what was done of it.
    WiderThanUse {
        /// A pattern of the role.
        pattern: Glob,
        /// The actions under it that somebody did.
        used: Vec<Glob>,
    },
    /// It changes the administration, and has no end.
    StandingPrivilege,
    /// Nobody answers for the virtual account, or nobody any more.
    NoOwner,
}

impl Finding {
    /// One word for machines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::WiderThanUse { .. } => "wider_than_use",
            Self::StandingPrivilege => "standing_privilege",
            Self::NoOwner => "no_owner",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused => f.write_str("nobody has used the grant"),
            Self::WiderThanUse { pattern, used } if used.is_empty() => {
                write!(f, "nobody has done anything of {pattern}")
            }
            Self::WiderThanUse { pattern, used } => {
                let used: Vec<&str> = used.iter().map(Glob::as_str).collect();
                write!(f, "of {pattern} only {} was done", used.join(", "))
            }
            Self::StandingPrivilege => f.write_str("it may change the administration, and has no end"),
            Self::NoOwner => f.write_str("nobody answers for the account"),
        }
    }
}

/// Somebody, and one of their grants; none where they have none.
#[derive(Debug, Clone)]
pub struct Row<'r> {
    /// An account, or the tokens that carry a group.
    pub subject: &'r Subject,
    /// Who answers for the account.
    pub owner: Option<&'r Subject>,
    /// A grant that allows something.
    pub held: Option<&'r HeldGrant>,
    /// What they, themselves, used it for.
    pub used: Use,
    /// What to look at.
    pub findings: Vec<Finding>,
}

impl Review {
    /// The rows of so many of everybody, after so many others.
    pub fn part(&self, from: usize, count: usize) -> Vec<Row<'_>> {
        let Some(tenant) = self.held() else {
            return Vec::new();
        };
        let these = self.everybody.iter().skip(from).take(count);
        these.flat_map(|subject| self.rows(tenant, subject)).collect()
    }

    fn rows<'r>(&'r self, tenant: &'r Tenant, subject: &'r Subject) -> Vec<Row<'r>> {
        match subject {
            Subject::Principal(principal) => match tenant.account(principal) {
                Some(held) => self.of_account(tenant, subject, held),
                None => Vec::new(),
            },
            Subject::Group { issuer, value } => {
                let grants = tenant.groups.get(&(issuer.clone(), value.clone()));
                let held = grants.into_iter().flat_map(|grants| grants.iter());
                let held = held.map(AsRef::as_ref).filter(allows);
                held.map(|held| self.row(subject, None, held, self.used(held.grant.id)))
                    .collect()
            }
            Subject::Team(_) => Vec::new(),
        }
    }

    fn of_account<'r>(
        &'r self,
        tenant: &'r Tenant,
        subject: &'r Subject,
        held: &'r HeldAccount,
    ) -> Vec<Row<'r>> {
        let account = &held.account;
        let owner = account.profile.owner.as_deref();
        let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
        let grants = candidates(&caller).filter(allows);
        let own = |id: Id| self.uses.get(&id).and_then(|by| by.get(&account.principal));
        let mut rows: Vec<Row<'r>> = grants
            .map(|held| {
                let used = own(held.grant.id).cloned().unwrap_or_default();
                self.row(subject, owner, held, used)
            })
            .collect();
        if matches!(account.principal, Principal::VirtualAccount(_)) && !answers(tenant, owner) {
            if rows.is_empty() {
                rows.push(Row {
                    subject,
                    owner,
                    held: None,
                    used: Use::default(),
                    findings: Vec::new(),
                });
            }
            rows.iter_mut()
                .for_each(|row| row.findings.push(Finding::NoOwner));
        }
        rows
    }

    fn row<'r>(
        &'r self,
        subject: &'r Subject,
        owner: Option<&'r Subject>,
        held: &'r HeldGrant,
        used: Use,
    ) -> Row<'r> {
        Row {
            subject,
            owner,
            held: Some(held),
            used,
            findings: self.of_grant(held),
        }
    }

    fn of_grant(&self, held: &HeldGrant) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.is_unused(held) {
            true => findings.push(Finding::Unused),
            false => {
                findings.extend(
                    self.wider(held)
                        .into_iter()
                        .map(|(pattern, used)| Finding::WiderThanUse {
                            pattern: pattern.clone(),
                            used,
                        }),
                )
            }
        }
        if held.grant.conditions.expires.is_none() && self.is_privileged(&held.role) {
            findings.push(Finding::StandingPrivilege);
        }
        findings
    }

    /// The patterns of a grant's role that are wider than what was done, each with what was done of it. None where the grant
    /// is too young, or was not used, or for more than can be told.
    pub(super) fn wider<'r>(&self, held: &'r HeldGrant) -> Vec<(&'r Glob, Vec<Glob>)> {
        let used = self.used(held.grant.id);
        let actions: Option<Vec<Glob>> = used.actions.iter().map(|action| plain(action)).collect();
        let Some(actions) = actions.filter(|_| used.times > 0 && !used.more) else {
            return Vec::new();
        };
        if held.created >= self.since {
            return Vec::new();
        }
        let done = |pattern: &'r Glob| {
            let under = actions.iter().filter(|action| pattern.contains(action));
            (pattern, under.cloned().collect::<Vec<_>>())
        };
        let recorded = held
            .role
            .actions
            .iter()
            .filter(|pattern| self.is_recorded(pattern));
        let wider = |(pattern, used): &(&Glob, Vec<Glob>)| !used.contains(pattern);
        recorded.map(done).filter(wider).collect()
    }
}

/// An action as a pattern that matches it and nothing else; `None` where there is none.
fn plain(action: &str) -> Option<Glob> {
    action.parse().ok().filter(|_| !action.contains('*'))
}

fn allows(held: &&HeldGrant) -> bool {
    held.grant.effect == Effect::Allow
}

/// Whether somebody is there who answers.
fn answers(tenant: &Tenant, owner: Option<&Subject>) -> bool {
    match owner {
        Some(Subject::Principal(principal)) => {
            let held = tenant.account(principal);
            held.is_some_and(|held| !held.account.profile.deactivated)
        }
        Some(Subject::Team(team)) => tenant.team(team.as_str()).is_some(),
        Some(Subject::Group { .. }) | None => false,
    }
}
