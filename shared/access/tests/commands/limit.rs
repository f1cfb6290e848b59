//! Random limits, and budgets that are spent.

use turnpike_access::{
    command::Command,
    limit::{Limit, Period},
};

use crate::world::{Dice, START};

/// The budget of a limit that is filled in when its spending is carried out.
pub(crate) const UNFILLED: u64 = u64::MAX;

pub(super) fn on_limits(dice: &mut Dice<'_>) -> Command {
    let limit = Limit {
        name: dice.named(&["daily", "monthly", "team-wide"]),
        subject: match dice.one_in(3) {
            true => None,
            false => Some(dice.subject()),
        },
        budget: [0, 5_000_000][dice.below(2)],
        per: Period::ALL[dice.below(3)],
    };
    match dice.below(8) {
        0..4 => Command::CreateLimit(limit),
        4 => Command::UpdateLimit {
            from: limit.clone(),
            to: limit,
        },
        5 => Command::DeleteLimit { name: limit.name },
        _ => Command::SpendLimit {
            limit: Limit {
                budget: UNFILLED,
                ..limit
            },
            until: START.plus_seconds(3_600),
        },
    }
}
