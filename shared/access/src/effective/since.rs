//! Which events gave what somebody has: when a grant was made or changed in what it gives, and when whoever has it through
//! a team joined that.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use crate::{
    event::Event,
    grant::{Grant, Subject},
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
    /// One of [`Givers::KINDS`].
    pub kind: &'static str,
}

/// Finds the events that gave access, in the log of its tenant.
#[derive(Debug, Default)]
pub struct Givers {
    /// Absent: all are kept.
    wanted: Option<Wanted>,
    made: BTreeMap<(Id, Position), Given>,
    joined: BTreeMap<(Name, Principal, Position), Given>,
    /// What a grant gave when it was last looked at.
    gives: BTreeMap<Id, u64>,
}

#[derive(Debug, Default)]
struct Wanted {
    grants: BTreeSet<Id>,
    members: BTreeSet<(Name, Principal)>,
}

impl Givers {
    /// The kinds of events that are looked for.
    pub const KINDS: [&'static str; 3] = ["grant.created", "grant.updated", "team.member_added"];

    /// Looks for what gave these, and keeps nothing else.
    pub fn of(rows: &[Row<'_, '_>]) -> Self {
        let mut wanted = Wanted::default();
        for row in rows {
            for bearing in row.access.allows.iter().chain(&row.access.unless) {
                wanted.grants.insert(bearing.held.grant.id);
                wanted.members.extend(membership(bearing.held, &row.subject));
            }
        }
        Self {
            wanted: Some(wanted),
            ..Self::default()
        }
    }

    /// How many events are kept.
    pub fn kept(&self) -> usize {
        self.made.len() + self.joined.len()
    }

    /// Looks at an event of the tenant; they come in their order. One that cannot be read gave nothing that is known.
    pub fn see(&mut self, recorded: &Recorded) {
        match Event::decode(&recorded.kind, recorded.version, &recorded.payload) {
            Ok(Event::GrantCreated(grant)) => self.see_grant(&grant, recorded, "grant.created"),
            Ok(Event::GrantUpdated(grant)) => self.see_grant(&grant, recorded, "grant.updated"),
            Ok(Event::TeamMemberAdded { team, principal }) => {
                let member = (team, principal);
                let wanted = self.wanted.as_ref();
                if wanted.is_none_or(|wanted| wanted.members.contains(&member)) {
                    let (team, principal) = member;
                    let joining = (team, principal, recorded.position);
                    self.joined.insert(joining, given(recorded, "team.member_added"));
                }
            }
            _ => {}
        }
    }

    fn see_grant(&mut self, grant: &Grant, recorded: &Recorded, kind: &'static str) {
        let wanted = self.wanted.as_ref();
        if wanted.is_some_and(|wanted| !wanted.grants.contains(&grant.id)) {
            return;
        }
        let gives = what_it_gives(grant);
        if self.gives.insert(grant.id, gives) != Some(gives) {
            self.made
                .insert((grant.id, recorded.position), given(recorded, kind));
        }
    }

    /// The event since which a subject has a grant at a position of the log: the later one of its making, or changing, and
    /// of the joining.
    pub fn gave(&self, held: &HeldGrant, subject: &Subject, until: Position) -> Option<&Given> {
        let id = held.grant.id;
        let mut made = self.made.range((id, Position::ZERO)..=(id, until));
        let made = made.next_back().map(|(_, given)| given);
        let joined = membership(held, subject).and_then(|(team, principal)| {
            let first = (team.clone(), principal.clone(), Position::ZERO);
            let mut joined = self.joined.range(first..=(team, principal, until));
            joined.next_back().map(|(_, given)| given)
        });
        [made, joined]
            .into_iter()
            .flatten()
            .max_by_key(|given| given.position)
    }
}

fn given(recorded: &Recorded, kind: &'static str) -> Given {
    Given {
        position: recorded.position,
        time: recorded.origin.time,
        actor: recorded.origin.actor.clone(),
        kind,
    }
}

/// Short for whom a grant gives what under which conditions; why it does, and whose it is, are no part of that.
fn what_it_gives(grant: &Grant) -> u64 {
    let bare = Grant {
        reason: None,
        owner: None,
        ..grant.clone()
    };
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&bare).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// The membership through which a subject has a grant.
fn membership(held: &HeldGrant, subject: &Subject) -> Option<(Name, Principal)> {
    match (&held.grant.subject, subject) {
        (Subject::Team(team), Subject::Principal(principal)) => Some((team.clone(), principal.clone())),
        _ => None,
    }
}
