//! Which events gave what somebody has: when a grant was made, and when whoever has it through a team joined that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    event::Event,
    grant::Subject,
    id::{Id, Name, Principal, Timestamp},
    log::{Position, Recorded},
    snapshot::HeldGrant,
};

use super::Row;

/// The event that gave access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its place in the log.
    pub position: Position,
    /// When.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Arc<str>,
    /// `grant.created`, `team.member_added`.
    pub kind: Arc<str>,
}

/// Finds the events that gave some access, in the log of its tenant.
#[derive(Debug, Default)]
pub struct Givers {
    grants: BTreeSet<Id>,
    members: BTreeSet<(Name, Principal)>,
    made: BTreeMap<Id, Given>,
    joined: BTreeMap<(Name, Principal), Given>,
}

impl Givers {
    /// The kinds of events that are looked for.
    pub const KINDS: [&'static str; 2] = ["grant.created", "team.member_added"];

    /// Looks for what gave these.
    pub fn of(rows: &[Row<'_, '_>]) -> Self {
        let mut wanted = Self::default();
        for row in rows {
            for bearing in row.access.allows.iter().chain(&row.access.unless) {
                wanted.grants.insert(bearing.held.grant.id);
                wanted.members.extend(membership(bearing.held, &row.subject));
            }
        }
        wanted
    }

    /// Looks at an event of the tenant; they come in their order. One that cannot be read gave nothing that is known.
    pub fn see(&mut self, recorded: &Recorded) {
        let given = || Given {
            position: recorded.position,
            time: recorded.origin.time,
            actor: recorded.origin.actor.clone(),
            kind: recorded.kind.clone(),
        };
        match Event::decode(&recorded.kind, recorded.version, &recorded.payload) {
            Ok(Event::GrantCreated(grant)) if self.grants.contains(&grant.id) => {
                self.made.insert(grant.id, given());
            }
            Ok(Event::TeamMemberAdded { team, principal }) => {
                let member = (team, principal);
                if self.members.contains(&member) {
                    self.joined.insert(member, given());
                }
            }
            _ => {}
        }
    }

    /// The event since which a subject has a grant: the later one of its making and of the joining.
    pub fn gave(&self, held: &HeldGrant, subject: &Subject) -> Option<&Given> {
        let made = self.made.get(&held.grant.id);
        let joined = membership(held, subject).and_then(|member| self.joined.get(&member));
        [made, joined]
            .into_iter()
            .flatten()
            .max_by_key(|given| given.position)
    }
}

/// The membership through which a subject has a grant.
fn membership(held: &HeldGrant, subject: &Subject) -> Option<(Name, Principal)> {
    match (&held.grant.subject, subject) {
        (Subject::Team(team), Subject::Principal(principal)) => Some((team.clone(), principal.clone())),
        _ => None,
    }
}
