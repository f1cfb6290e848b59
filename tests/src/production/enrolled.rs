//! Edges that enrol: their tokens, and where they call.

use std::path::Path;

use super::{Plan, Production, launch};
use crate::{cable::Cable, process::Process};

impl Production {
    /// A one-time token for an edge, as an operator makes it.
    pub async fn enrolment_token(&self, edge: &str, further: &[&str]) -> String {
        let arguments = [&["edge", "enrol", edge], further].concat();
        let made = self.operator.json(&arguments).await;
        made["key"].as_str().expect("a token").to_owned()
    }

    /// A token where one is needed: edges enrol here, and what this one keeps does not say that it has.
    pub(super) async fn token_for(&self, data: &Path, region: &str) -> Option<String> {
        let needed = self.plan.enrolled && !data.join("enrolment.json").exists();
        if !needed {
            return None;
        }
        let edge = format!("edge-{region}");
        Some(self.enrolment_token(&edge, &["--region", region]).await)
    }

    /// Where edges call.
    pub(super) fn control_planes(&self) -> String {
        let (scheme, first, further) = match self.plan.enrolled {
            true => (
                "https",
                self.plan.way(&self.to_edge_listener),
                self.further_edge_listener,
            ),
            false => ("http", self.plan.way(&self.to_control_plane), self.further),
        };
        let further = further.map(|address| format!(",{scheme}://{address}"));
        format!("{scheme}://{first}{}", further.unwrap_or_default())
    }
}

/// Leads edges that enrol to a control plane that serves.
pub(super) async fn connect(plan: &Plan, cable: &Cable, control_plane: &mut Process, skip: usize) {
    if plan.enrolled {
        cable.connect(launch::edge_listener(control_plane, skip).await);
    }
}
