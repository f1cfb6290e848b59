//! How accounts and teams are held: what nearly every request asks of them lies together, the rest behind
//! a pointer.
//!
//! What lies in front is made from the whole whenever the whole changes, and only ever answers "surely"; where it
//! can't, the whole is asked.

use std::sync::Arc;

use super::HeldGrant;
use crate::{
    credential::KeyKind,
    id::Name,
    table::Seat,
    tenant::{Account, Team},
};

/// An account with the grants that name it.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct HeldAccount {
    pub(crate) team_numbers: TeamNumbers,
    pub(crate) grants: Vec<Arc<HeldGrant>>,
    /// The account.
    pub account: Account,
}

impl HeldAccount {
    /// An account that no grant names yet; `number` tells the numbers of its teams.
    pub(crate) fn new(account: Account, number: impl FnMut(&Name) -> u32) -> Self {
        Self {
            team_numbers: account.teams.iter().map(number).collect(),
            grants: Vec::new(),
            account,
        }
    }

    /// Puts it into other teams.
    pub(crate) fn set_teams(&mut self, teams: Vec<Name>, number: impl FnMut(&Name) -> u32) {
        self.team_numbers = teams.iter().map(number).collect();
        self.account.teams = teams;
    }
}

/// The numbers of an account's teams, in the order of their names; the first lie in the account itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct TeamNumbers {
    count: u32,
    first: [u32; Self::FIRST],
    rest: Box<[u32]>,
}

impl TeamNumbers {
    const FIRST: usize = 11;

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let count = usize::try_from(self.count).unwrap_or_default();
        let rest = if count > Self::FIRST { &*self.rest } else { &[] };
        self.first.iter().take(count).chain(rest).copied()
    }
}

impl FromIterator<u32> for TeamNumbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut all = Self::default();
        let mut numbers = numbers.into_iter();
        for (place, number) in all.first.iter_mut().zip(&mut numbers) {
            *place = number;
            all.count += 1;
        }
        all.rest = numbers.collect();
        all.count += u32::try_from(all.rest.len()).unwrap_or_default();
        all
    }
}

/// Where an account is found by its number.
#[derive(Debug, Clone)]
pub(crate) struct AccountSeat {
    held: Arc<HeldAccount>,
    kind: KeyKind,
    deactivated: bool,
}

impl AccountSeat {
    pub(crate) fn held(&self) -> &HeldAccount {
        &self.held
    }

    /// Whether keys of this kind open something, as far as the account is concerned.
    pub(crate) fn admits(&self, kind: KeyKind) -> bool {
        !self.deactivated && self.kind == kind
    }
}

impl Seat for AccountSeat {
    type Whole = HeldAccount;

    fn of(held: Arc<HeldAccount>) -> Self {
        Self {
            kind: KeyKind::of(&held.account.principal),
            deactivated: held.account.profile.deactivated,
            held,
        }
    }

    fn whole(&self) -> &Arc<HeldAccount> {
        &self.held
    }

    fn whole_mut(&mut self) -> &mut Arc<HeldAccount> {
        &mut self.held
    }
}

/// A team with the grants that name it.
#[derive(Debug, Clone)]
pub struct HeldTeam {
    /// The team.
    pub team: Team,
    pub(crate) grants: Vec<Arc<HeldGrant>>,
}
