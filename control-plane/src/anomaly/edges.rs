//! Edges that are away, stand still, or are behind: told to the operators.

use turnpike_access::{id::Timestamp, snapshot::Snapshot};

use super::{Anomaly, EDGE_BEHIND, EDGE_HALTED, EDGE_OFFLINE};
use crate::edges::{EdgeState, EdgeStatus};

/// An edge that was not heard of for so long is offline, in seconds; a restart takes less.
const OFFLINE_AFTER: i64 = 60;
/// An edge that was not heard of for so long is gone for good, in seconds.
const GONE_AFTER: i64 = 7 * 86_400;
/// An edge that may have missed what is older is behind, in seconds.
const BEHIND_AFTER: i64 = 60;
/// Edges are there or not: it is over soon.
const OVER_AFTER: i64 = 60;

/// What is out of the ordinary about an edge.
pub(super) fn about(snapshot: &Snapshot, edge: &EdgeStatus, now: Timestamp) -> Option<Anomaly> {
    let report = &edge.report;
    let seen = report.last_seen;
    let offline = seen.plus_seconds(OFFLINE_AFTER) < now && seen.plus_seconds(GONE_AFTER) > now;
    let behind = report
        .certain
        .filter(|certain| certain.plus_seconds(BEHIND_AFTER) < now);
    let (kind, what) = match (edge.state, behind) {
        (EdgeState::Silent, _) if offline => (
            EDGE_OFFLINE,
            "was not heard of for a minute; it may still be serving",
        ),
        (EdgeState::Halted, _) => (
            EDGE_HALTED,
            "stands still before an event that it can't interpret, and serves by what it has",
        ),
        (EdgeState::Live, Some(_)) => (EDGE_BEHIND, "may have missed what changed for a minute"),
        _ => return None,
    };
    let mut evidence = vec![("last_seen_us", seen.as_micros().to_string())];
    if let Some(certain) = report.certain {
        evidence.push(("certain_us", certain.as_micros().to_string()));
        evidence.push(("fenced_tenants", fenced(snapshot, certain, now).to_string()));
    }
    let name = &report.name;
    Some(Anomaly {
        kind: kind.into(),
        subject: name.clone(),
        summary: format!("The edge {name} {what}."),
        count: None,
        audit: Vec::new(),
        evidence,
        credential: None,
        suspend: false,
        over_after: OVER_AFTER,
    })
}

/// How many tenants an edge no longer serves that is certain of what was committed by then.
fn fenced(snapshot: &Snapshot, certain: Timestamp, now: Timestamp) -> usize {
    let limits = snapshot.tenants().into_iter();
    let limits = limits.filter_map(|tenant| tenant.settings().staleness.max_seconds);
    limits
        .filter(|most| certain.plus_seconds((*most).into()) < now)
        .count()
}
