//! A few entries in one flat array: open addressing with linear probing.

use std::{borrow::Borrow, sync::Arc};

use super::{Key, prefetch, slot::Slot};

/// Length of the array of a shard's first entry. All lengths are one less than a power of two: the two counters
/// before them, too, must fit into what allocators hand out.
const FIRST_LENGTH: usize = 3;

/// At least a fifth of the slots is free, so that probing ends.
pub(super) struct Shard<S>(Arc<[Option<S>]>);

impl<S> Shard<S> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &S> {
        self.0.iter().flatten()
    }

    pub(super) fn get<K, V, Q>(&self, hash: u32, key: &Q) -> Option<&S>
    where
        S: Slot<K, V>,
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut place = start(hash, self.0.len());
        loop {
            let slot = self.0.get(place)?.as_ref()?;
            if slot.may_hold(hash) && slot.key().borrow() == key {
                return Some(slot);
            }
            place += 1;
            if place == self.0.len() {
                place = 0;
            }
        }
    }

    /// The slot that a hash starts at, and the next, since half of the entries lie behind their own.
    pub(super) fn prefetch(&self, hash: u32) {
        let own = start(hash, self.0.len());
        for slot in self.0.iter().skip(own).take(2) {
            prefetch(slot);
        }
    }
}

impl<S> Shard<S> {
    pub(super) fn get_mut<K, V, Q>(&mut self, hash: u32, key: &Q) -> Option<&mut S>
    where
        S: Slot<K, V>,
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let slots = Arc::make_mut(&mut self.0);
        let same = |slot: &&mut S| slot.may_hold(hash) && slot.key().borrow() == key;
        slots.iter_mut().flatten().find(same)
    }

    pub(super) fn insert<K: Key, V>(&mut self, hash: u32, added: S) -> Option<S>
    where
        S: Slot<K, V>,
    {
        if self.get(hash, added.key()).is_some() {
            let held = self.get_mut(hash, added.key())?;
            return Some(std::mem::replace(held, added));
        }
        let entries = self.0.iter().flatten().count() + 1;
        if length_for(entries) > self.0.len() {
            let all = self.0.iter().flatten().cloned();
            *self = Self::of(entries, all.chain(std::iter::once(added)));
        } else {
            put(Arc::make_mut(&mut self.0), added);
        }
        None
    }

    pub(super) fn remove<K, V, Q>(&mut self, hash: u32, key: &Q) -> Option<S>
    where
        S: Slot<K, V>,
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let removed = self.get(hash, key)?.clone();
        let other = |slot: &&S| !slot.may_hold(hash) || slot.key().borrow() != key;
        let left = self.0.iter().flatten().filter(other);
        *self = Self::of(left.clone().count(), left.cloned());
        Some(removed)
    }

    /// The entries whose hash is one of these, and the others.
    pub(super) fn divided<K, V>(&self, these: impl Fn(u32) -> bool) -> (Self, Self)
    where
        S: Slot<K, V>,
    {
        let part = |wanted| {
            let part = self.0.iter().flatten();
            let part = part.filter(|slot| these(slot.hash()) == wanted);
            Self::of(part.clone().count(), part.cloned())
        };
        (part(true), part(false))
    }

    fn of<K, V>(count: usize, entries: impl Iterator<Item = S>) -> Self
    where
        S: Slot<K, V>,
    {
        let mut slots: Vec<_> = (0..length_for(count)).map(|_| None).collect();
        for entry in entries {
            put(&mut slots, entry);
        }
        Self(Arc::from(slots))
    }
}

/// Puts an entry into the first free slot from its own on; there is one.
fn put<K, V, S: Slot<K, V>>(slots: &mut [Option<S>], entry: S) {
    let own = start(entry.hash(), slots.len());
    let (before, from) = slots.split_at_mut(own);
    let free = from.iter_mut().chain(before).find(|slot| slot.is_none());
    if let Some(slot) = free {
        *slot = Some(entry);
    }
}

/// An entry's own slot, by the upper bits of its hash: the lower ones are alike in a shard.
fn start(hash: u32, slots: usize) -> usize {
    (hash as usize * slots) >> u32::BITS
}

/// The least length of which so many entries leave a fifth free.
fn length_for(entries: usize) -> usize {
    match entries {
        0 => 0,
        _ => {
            (entries + entries.div_ceil(4) + 1)
                .next_power_of_two()
                .max(FIRST_LENGTH + 1)
                - 1
        }
    }
}

impl<S> Clone for Shard<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Default for Shard<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
