//! The public keys by which edges sign identity headers, for model servers to verify them.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};
use turnpike_access::id::Timestamp;
use turnpike_runtime::{clock, identity};

use super::{Late, refusal::Refusal};
use crate::{
    edges::{EdgeState, EdgeStatus, Edges},
    store::StoreError,
};

/// The store is asked this often at most, whoever asks here.
const FRESH: Duration = Duration::from_secs(1);
/// An edge that is not heard of may still be serving; after so many seconds it is gone.
const GONE_AFTER: i64 = 7 * 24 * 3600;
/// An edge that took leave serves nobody; what it signed is over after a minute.
const DEPARTED_AFTER: i64 = 600;

/// The keys of the edges, and the set as it was last put together.
pub(crate) struct EdgeKeys {
    edges: Edges,
    last: Mutex<Option<(Instant, Value)>>,
}

impl EdgeKeys {
    pub(crate) fn new(edges: Edges) -> Self {
        Self {
            edges,
            last: Mutex::default(),
        }
    }

    /// A JSON Web Key Set (RFC 7517). Who asks meanwhile waits for the same answer.
    async fn set(&self) -> Result<Value, StoreError> {
        let mut last = self.last.lock().await;
        if let Some((at, set)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(set.clone());
        }
        let set = set_of(&self.edges.list().await?, clock::now());
        *last = Some((Instant::now(), set.clone()));
        Ok(set)
    }
}

/// Every key that may have signed what is still good.
pub(super) async fn keys(State(late): State<Late>) -> Response {
    let Some(web) = late.get() else {
        return Refusal::starting().into_response();
    };
    match web.edge_keys.set().await {
        Ok(set) => Json(set).into_response(),
        Err(error) => {
            tracing::warn!(%error, "could not tell the edges' keys");
            Refusal::later("the edges' keys cannot be read now; try again in a moment").into_response()
        }
    }
}

fn set_of(edges: &[EdgeStatus], now: Timestamp) -> Value {
    let keys: Vec<Value> = edges
        .iter()
        .filter(|edge| edge.state != EdgeState::Revoked)
        .map(|edge| &edge.report)
        .filter(|report| {
            let kept = if report.departed {
                DEPARTED_AFTER
            } else {
                GONE_AFTER
            };
            report.last_seen.plus_seconds(kept) >= now
        })
        .filter_map(|report| Some(identity::jwk(&report.name, report.identity_key.as_deref()?)))
        .collect();
    json!({ "keys": keys })
}

#[cfg(test)]
mod tests {
    use turnpike_access::log::Position;

    use super::*;
    use crate::store::EdgeReport;

    fn edge(name: &str, seen: i64, departed: bool, key: Option<&str>) -> EdgeStatus {
        EdgeStatus {
            report: EdgeReport {
                name: name.to_owned(),
                region: String::new(),
                version: String::new(),
                epoch: 1,
                position: Position::new(1),
                applied: Timestamp::from_micros(0),
                halted: None,
                last_seen: Timestamp::from_micros(0).plus_seconds(seen),
                departed,
                identity_key: key.map(str::to_owned),
                statement: None,
                certain: None,
            },
            state: EdgeState::Live,
        }
    }

    #[test]
    fn the_keys_of_edges_that_are_gone_for_long_are_published_no_more() {
        let now = Timestamp::from_micros(0).plus_seconds(GONE_AFTER + DEPARTED_AFTER);
        let set = set_of(
            &[
                edge("live", GONE_AFTER + DEPARTED_AFTER, false, Some("a")),
                edge("silent", DEPARTED_AFTER, false, Some("b")),
                edge("gone", DEPARTED_AFTER - 1, false, Some("c")),
                edge("left", GONE_AFTER, true, Some("d")),
                edge("left-long-ago", GONE_AFTER - 1, true, Some("e")),
                edge("old-build", GONE_AFTER, false, None),
            ],
            now,
        );
        let keys = set["keys"].as_array().unwrap();
        let ids: Vec<_> = keys
            .iter()
            .map(|key| key["kid"].as_str().unwrap().split('/').next().unwrap())
            .collect();
        assert_eq!(ids, ["live", "silent", "left"]);
        assert!(keys.iter().all(|key| key["kty"] == "OKP" && key["d"].is_null()));
    }
}
