//! Random commands about edges.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    digest::KeyDigest,
    edge::{EdgeChange, Invitation},
    id::{Id, Name, Timestamp},
};

use super::Step;
use crate::world::Dice;

const EDGES: [&str; 2] = ["edge-eu", "edge-us"];
/// Public keys, as far as anybody here looks at them.
const KEYS: [&str; 2] = [
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "2xqYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
];

/// A token for an edge.
pub(crate) fn invitation(id: u128, expires: Timestamp) -> Invitation {
    Invitation {
        id: Id::from_random(id),
        digest: KeyDigest {
            pepper: 1,
            mac: [7; 32],
        },
        region: None,
        expires,
    }
}

pub(super) fn on_edges(dice: &mut Dice<'_>) -> Step {
    let edge: Name = dice.named(&EDGES);
    let token = u128::try_from(dice.below(3)).unwrap();
    let change = match dice.below(6) {
        0 => EdgeChange::Invite(invitation(token, dice.moment())),
        1 | 2 => EdgeChange::Enrol {
            invitation: Id::from_random(token),
            key: Arc::from(dice.pick(&KEYS)),
        },
        3 => EdgeChange::Revoke {
            reason: Arc::from("because"),
        },
        4 => EdgeChange::Drain,
        _ if dice.one_in(2) => EdgeChange::Resume,
        _ => EdgeChange::Forget,
    };
    Step {
        tenant: Name::platform(),
        command: Command::ChangeEdge { edge, change },
    }
}
