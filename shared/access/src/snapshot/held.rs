//! How accounts, teams and credentials are held: what nearly every request asks of them lies together, the rest behind
//! a pointer.
//!
//! What lies in front is made from the whole whenever the whole changes, and only ever answers "surely"; where it
//! can't, the whole is asked.

use std::sync::Arc;

use super::HeldGrant;
use crate::{
    credential::{Credential, CredentialStatus, KeyKind},
    id::{Id, Name, Timestamp},
    table::{Key as _, Seat, Slot},
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

/// A credential as it lies in the table: one cache line tells most requests all that they need.
#[derive(Debug, Clone)]
pub(crate) struct HeldCredential {
    whole: Arc<Credential>,
    mac: [u8; 32],
    id: Id,
    owner: u32,
    /// The tenant's number and, in the upper byte, the pepper's id; all ones where they do not fit.
    home: u32,
    /// Up to this second since the epoch it is active, no decoy, and narrowed to nothing. 0: ask the whole.
    plain_until: u32,
}

const TENANT_BITS: u32 = 24;

impl HeldCredential {
    /// `tenant` and `owner` are their numbers.
    pub(crate) fn new(whole: Arc<Credential>, tenant: u32, owner: u32) -> Self {
        Self {
            mac: whole.digest.mac,
            id: whole.id,
            owner,
            home: home(tenant, whole.digest.pepper),
            plain_until: plain_until(&whole),
            whole,
        }
    }

    pub(crate) fn whole(&self) -> &Arc<Credential> {
        &self.whole
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Credential)) {
        change(Arc::make_mut(&mut self.whole));
        let (mac, pepper) = (self.whole.digest.mac, self.whole.digest.pepper);
        let tenant = self.tenant().unwrap_or(u32::MAX);
        (self.mac, self.home, self.plain_until) = (mac, home(tenant, pepper), plain_until(&self.whole));
    }

    /// The number of its owner in its tenant.
    pub(crate) fn owner(&self) -> u32 {
        self.owner
    }

    /// The number of its tenant; `None`: look for its name.
    pub(crate) fn tenant(&self) -> Option<u32> {
        (self.home != u32::MAX).then_some(self.home & ((1 << TENANT_BITS) - 1))
    }

    /// Pepper and digest of its secret; `None`: ask the whole.
    pub(crate) fn digest(&self) -> Option<(u32, &[u8; 32])> {
        (self.home != u32::MAX).then_some((self.home >> TENANT_BITS, &self.mac))
    }

    /// Whether it is surely active, no decoy, narrowed to nothing, and not at its own end.
    pub(crate) fn is_plain(&self, now: Timestamp) -> bool {
        now.as_micros() < i64::from(self.plain_until) * 1_000_000
    }
}

fn home(tenant: u32, pepper: u32) -> u32 {
    let fits = tenant >> TENANT_BITS == 0 && pepper < u32::MAX >> TENANT_BITS;
    if fits {
        pepper << TENANT_BITS | tenant
    } else {
        u32::MAX
    }
}

fn plain_until(whole: &Credential) -> u32 {
    let active = matches!(whole.status, CredentialStatus::Active);
    if !active || whole.decoy.is_some() || whole.scope.is_some() {
        return 0;
    }
    let second = |end: Timestamp| end.as_micros().max(0) / 1_000_000;
    whole
        .expires
        .map_or(u32::MAX, |end| u32::try_from(second(end)).unwrap_or(u32::MAX))
}

/// As much as a cache line of the table of credentials. Not aligned to one: allocators waste more on that than it gains.
#[derive(Debug, Clone)]
pub(crate) struct CredentialLine(HeldCredential);

const _: () = assert!(
    size_of::<Option<CredentialLine>>() == 64,
    "as much as a cache line each"
);

impl Slot<Id, HeldCredential> for CredentialLine {
    fn new(_hash: u32, _key: Id, value: HeldCredential) -> Self {
        Self(value)
    }

    fn hash(&self) -> u32 {
        self.0.id.table_hash()
    }

    fn may_hold(&self, _hash: u32) -> bool {
        true
    }

    fn key(&self) -> &Id {
        &self.0.id
    }

    fn value(&self) -> &HeldCredential {
        &self.0
    }

    fn value_mut(&mut self) -> &mut HeldCredential {
        &mut self.0
    }

    fn into_value(self) -> HeldCredential {
        self.0
    }
}
