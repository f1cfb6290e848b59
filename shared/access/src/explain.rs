//! Why a decision is as it is: every grant that speaks of the caller, and what each lacks.

use crate::{
    authenticate::Caller,
    decide::{Decision, Mismatch, Request, candidates, decide, examine},
    grant::{ConditionMismatch, Effect},
    pattern::SelectorMismatch,
    snapshot::{HeldGrant, Snapshot},
};

/// A decision with the story behind it.
#[derive(Debug, Clone)]
pub struct Explanation<'s> {
    /// What [`decide`] says.
    pub decision: Decision<'s>,
    /// Every grant that speaks of the caller, those that match first, then the nearest.
    pub considered: Vec<Considered<'s>>,
}

/// A grant that was looked at.
#[derive(Debug, Clone)]
pub struct Considered<'s> {
    /// The grant.
    pub held: &'s HeldGrant,
    /// What it lacks; `None` where it matches.
    pub mismatch: Option<Mismatch>,
}

/// Decides by [`decide`], and tells why.
pub fn explain<'s>(snapshot: &'s Snapshot, caller: &Caller<'s>, request: &Request<'_>) -> Explanation<'s> {
    let considered = candidates(caller).map(|held| Considered {
        held,
        mismatch: examine(held, caller, request).err(),
    });
    let mut considered: Vec<_> = considered.collect();
    considered.sort_by_key(|one| distance(one.mismatch.as_ref()));
    Explanation {
        decision: decide(snapshot, caller, request),
        considered,
    }
}

/// Grants are examined in a fixed order; the later one fails, the nearer it was.
fn distance(mismatch: Option<&Mismatch>) -> u8 {
    match mismatch {
        None => 0,
        Some(Mismatch::Condition(_)) => 1,
        Some(Mismatch::Selector(part)) => match part {
            SelectorMismatch::Tag(_)
            | SelectorMismatch::CallerTagMissing(_)
            | SelectorMismatch::ResourceTagMissing(_)
            | SelectorMismatch::TagDiffers(_) => 2,
            SelectorMismatch::Environment => 3,
            SelectorMismatch::Family => 4,
            SelectorMismatch::Resource => 5,
        },
        Some(Mismatch::Role) => 6,
    }
}

impl Considered<'_> {
    /// A sentence for people: what the grant did, or what it lacks.
    pub fn sentence(&self) -> String {
        let role = &self.held.grant.role;
        match (&self.mismatch, self.held.grant.effect) {
            (None, Effect::Allow) => "matches, and allows".to_owned(),
            (None, Effect::Deny) => "matches, and denies".to_owned(),
            (Some(Mismatch::Role), _) => format!("its role {role} does not cover the action"),
            (Some(Mismatch::Selector(part)), _) => match part {
                SelectorMismatch::Resource => "it is about other resources".to_owned(),
                SelectorMismatch::Family => "it is about other families".to_owned(),
                SelectorMismatch::Environment => "it is about another environment".to_owned(),
                SelectorMismatch::Tag(key) => format!("the tag {key} is not what it asks for"),
                SelectorMismatch::CallerTagMissing(key) => {
                    format!("it asks for the same tag {key}, and the caller has none")
                }
                SelectorMismatch::ResourceTagMissing(key) => {
                    format!("it asks for the same tag {key}, and the resource has none")
                }
                SelectorMismatch::TagDiffers(key) => {
                    format!("it asks for the same tag {key}, and the resource's is another than the caller's")
                }
            },
            (Some(Mismatch::Condition(condition)), _) => self.condition(*condition),
        }
    }

    fn condition(&self, mismatch: ConditionMismatch) -> String {
        match mismatch {
            ConditionMismatch::Method => "it asks for another authentication method".to_owned(),
            ConditionMismatch::TokenAge => "it asks for a token that was issued more recently".to_owned(),
            ConditionMismatch::Network => "it is for other networks".to_owned(),
            ConditionMismatch::NotYet => "it has not begun".to_owned(),
            ConditionMismatch::Expired => "it has expired".to_owned(),
            ConditionMismatch::Schedule => {
                let schedules = self.held.grant.conditions.schedules.iter();
                let hours: Vec<String> = schedules.map(ToString::to_string).collect();
                format!("it is for other hours: {}", hours.join("; "))
            }
        }
    }
}
