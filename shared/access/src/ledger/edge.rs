//! Commands about edges. They are the operators' alone.

use std::sync::Arc;

use super::{Handled, Refusal, check_text, exists, not_found};
use crate::{
    edge::{Duty, EdgeChange, EdgeRecord, Invitation, LONGEST_INVITATION},
    event::Event,
    id::{Id, Name, Timestamp},
    snapshot::{Snapshot, Tenant},
};

/// A public key as text: 32 bytes in base64url.
const KEY_LENGTH: usize = 43;

pub(super) fn handle(
    snapshot: &Snapshot,
    tenant: &Tenant,
    now: Timestamp,
    edge: Name,
    change: EdgeChange,
) -> Handled {
    if tenant.name != Name::platform() {
        return Err(Refusal::Invalid(
            "the edges are the operators', whatever tenants they serve".to_owned(),
        ));
    }
    let held = snapshot.edges().get(edge.as_str());
    match change {
        EdgeChange::Invite(invitation) => invite(held, edge, invitation, now),
        EdgeChange::Enrol { invitation, key } => enrol(held, edge, invitation, key, now),
        EdgeChange::Revoke { reason } => {
            check_text(Some(&reason), "reason")?;
            match held {
                Some(record) if record.duty == Duty::Revoked && record.invitation.is_none() => Ok(Vec::new()),
                Some(record) if record.invitation.is_some() || record.enrolment.is_some() => {
                    Ok(vec![Event::EdgeRevoked { edge, reason }])
                }
                Some(_) | None => Err(Refusal::NotNow(format!(
                    "edge {edge} has not enrolled: it comes in by the keyring, and only another keyring keeps it out"
                ))),
            }
        }
        EdgeChange::Drain => match snapshot.edges().duty(edge.as_str()) {
            Duty::Drain => Ok(Vec::new()),
            Duty::Revoked => Err(revoked(&edge)),
            Duty::Serve => Ok(vec![Event::EdgeDrained { edge }]),
        },
        EdgeChange::Resume => match snapshot.edges().duty(edge.as_str()) {
            Duty::Drain => Ok(vec![Event::EdgeResumed { edge }]),
            Duty::Revoked => Err(revoked(&edge)),
            Duty::Serve => Ok(Vec::new()),
        },
        EdgeChange::Forget => match held {
            Some(_) => Ok(vec![Event::EdgeForgotten { edge }]),
            None => Err(not_found("edge", edge)),
        },
    }
}

fn revoked(edge: &Name) -> Refusal {
    Refusal::NotNow(format!("edge {edge} is revoked; enrol it anew"))
}

fn invite(held: Option<&EdgeRecord>, edge: Name, invitation: Invitation, now: Timestamp) -> Handled {
    if invitation.expires <= now || invitation.expires > now.plus_seconds(LONGEST_INVITATION) {
        return Err(Refusal::Invalid(format!(
            "an enrolment token lives for up to {} days",
            LONGEST_INVITATION / (24 * 3600)
        )));
    }
    let taken = held.and_then(|record| record.enrolment.as_ref());
    if taken.is_some_and(|taken| taken.invitation.id == invitation.id) {
        return Err(exists("enrolment token", invitation.id));
    }
    match held.and_then(|record| record.invitation.as_ref()) {
        Some(open) if *open == invitation => Ok(Vec::new()),
        _ => Ok(vec![Event::EdgeInvited { edge, invitation }]),
    }
}

/// Whoever comes again with the same token and the same key has lost the answer.
fn enrol(held: Option<&EdgeRecord>, edge: Name, id: Id, key: Arc<str>, now: Timestamp) -> Handled {
    let refused = || Refusal::NotNow("the enrolment token was used, has expired or was withdrawn".to_owned());
    let record = held.ok_or_else(refused)?;
    if key.len() != KEY_LENGTH || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::Invalid("not an edge's public key".to_owned()));
    }
    let open = |invitation: &Invitation| invitation.id == id && now < invitation.expires;
    let taken = record.enrolment.as_ref().filter(|_| record.duty != Duty::Revoked);
    if taken.is_some_and(|taken| open(&taken.invitation) && taken.key == key) {
        return Ok(Vec::new());
    }
    match &record.invitation {
        Some(invitation) if open(invitation) => Ok(vec![Event::EdgeEnrolled {
            edge,
            invitation: id,
            key,
        }]),
        _ => Err(refused()),
    }
}
