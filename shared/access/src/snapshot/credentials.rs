//! Every credential, found by its id: what nearly every request asks of one lies in one cache line, the whole apart from it.
//!
//! The lines are plain values, so that a change copies the many of a shard as one run of bytes; each says by a number where
//! its whole is. What lies in a line is made from the whole whenever that changes, and only ever answers "surely"; where it
//! can't, the whole is asked.

use std::{num::NonZeroU32, sync::Arc};

use crate::{
    credential::{Credential, CredentialStatus},
    id::{Id, Timestamp},
    table::{Directory, Key as _, Slot, Table},
};

/// Every credential of every tenant, dead ones too.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    lines: Table<Id, Line, Line>,
    /// The number of one that was removed is not given again before a restart.
    wholes: Directory<Option<Arc<Credential>>, 5, 8>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Has the line of an id fetched, so that it is there when [`Credentials::line`] asks for it.
    pub(crate) fn prefetch(&self, id: Id) {
        self.lines.prefetch(&id);
    }

    /// What most requests ask of a credential.
    pub(crate) fn line(&self, id: Id) -> Option<&Line> {
        self.lines.get(&id)
    }

    /// The credential of a line.
    pub(crate) fn whole(&self, line: &Line) -> Option<&Arc<Credential>> {
        self.wholes.get(line.place())?.as_ref()
    }

    /// A credential by its id.
    pub(crate) fn get(&self, id: Id) -> Option<&Arc<Credential>> {
        self.whole(self.line(id)?)
    }

    /// All of them, in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.wholes.iter().flatten()
    }

    /// Puts one in. `tenant` and `owner` are their numbers. Tells whether it is new; `None`: more than numbers can tell apart.
    pub(crate) fn insert(&mut self, credential: Credential, tenant: u32, owner: u32) -> Option<bool> {
        let id = credential.id;
        let known = self.line(id).map(|line| line.number);
        let number = match known {
            Some(number) => number,
            None => {
                let number = NonZeroU32::new(u32::try_from(self.wholes.len()).ok()?.checked_add(1)?)?;
                self.wholes.push(None);
                number
            }
        };
        let line = Line::new(&credential, number, tenant, owner);
        *self.wholes.get_mut(line.place())? = Some(Arc::new(credential));
        self.lines.insert(id, line);
        Some(known.is_none())
    }

    /// Changes one in this copy alone, unless it is not what `filter` wants. Tells whether it was changed.
    pub(crate) fn change(
        &mut self,
        id: Id,
        filter: impl FnOnce(&Credential) -> bool,
        change: impl FnOnce(&mut Credential),
    ) -> bool {
        self.get(id).is_some_and(|whole| filter(whole)) && self.changed(id, change).is_some()
    }

    fn changed(&mut self, id: Id, change: impl FnOnce(&mut Credential)) -> Option<()> {
        let line = self.lines.get_mut(&id)?;
        let whole = Arc::make_mut(self.wholes.get_mut(line.place())?.as_mut()?);
        change(whole);
        *line = Line::new(whole, line.number, line.tenant().unwrap_or(u32::MAX), line.owner);
        Some(())
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, id: Id) {
        if let Some(line) = self.lines.remove(&id)
            && let Some(whole) = self.wholes.get_mut(line.place())
        {
            *whole = None;
        }
    }
}

/// What most requests ask of a credential.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    mac: [u8; 32],
    id: Id,
    owner: u32,
    /// The tenant's number and, in the upper byte, the pepper's id; all ones where they do not fit.
    home: u32,
    /// Up to this second since the epoch it is active, no decoy, and narrowed to nothing. 0: ask the whole.
    plain_until: u32,
    /// Where the whole is, counted from one.
    number: NonZeroU32,
}

const TENANT_BITS: u32 = 24;

impl Line {
    fn new(whole: &Credential, number: NonZeroU32, tenant: u32, owner: u32) -> Self {
        Self {
            mac: whole.digest.mac,
            id: whole.id,
            owner,
            home: home(tenant, whole.digest.pepper),
            plain_until: plain_until(whole),
            number,
        }
    }

    fn place(&self) -> usize {
        usize::try_from(self.number.get() - 1).unwrap_or(usize::MAX)
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

// Not aligned to cache lines: allocators waste more on that than it gains.
const _: () = assert!(size_of::<Option<Line>>() <= 64, "as much as a cache line each");

impl Slot<Id, Line> for Line {
    // So the pointers to shards fit into a cache of the second level; what a change copies are plain bytes.
    const FILL: usize = 120;

    fn new(_hash: u32, _key: Id, value: Line) -> Self {
        value
    }

    fn hash(&self) -> u32 {
        self.id.table_hash()
    }

    fn may_hold(&self, _hash: u32) -> bool {
        true
    }

    fn key(&self) -> &Id {
        &self.id
    }

    fn value(&self) -> &Line {
        self
    }

    fn value_mut(&mut self) -> &mut Line {
        self
    }

    fn into_value(self) -> Line {
        self
    }
}
