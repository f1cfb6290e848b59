//! Random requests for access, and decisions about them.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    id::{Id, Name},
    request::AccessRequest,
};

use crate::world::{Dice, PRINCIPALS, ROLES, START};

/// The id of a grant that is made of the request when the approval is carried out.
pub(crate) fn unfilled() -> Id {
    Id::from_random(77)
}

pub(super) fn on_requests(dice: &mut Dice<'_>, tenant: &Name) -> Command {
    let request = AccessRequest {
        id: dice.id(tenant),
        principal: dice.named(&PRINCIPALS),
        role: dice.named(&ROLES),
        selector: dice.selector(),
        seconds: 1 + u32::try_from(dice.below(30)).unwrap(),
        reason: Arc::from("because"),
        lapses: START.plus_seconds(1_000),
    };
    let (id, role) = (request.id, request.role.clone());
    match dice.below(6) {
        0..3 => Command::RequestAccess(request),
        3 | 4 => Command::ApproveAccess {
            id,
            grant: request.grant(unfilled(), START, None),
        },
        _ if dice.one_in(2) => Command::WithdrawAccess { id, role },
        _ => Command::RefuseAccess {
            id,
            role,
            reason: Arc::from("no"),
        },
    }
}
