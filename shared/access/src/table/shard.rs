//! A few entries in one flat array: open addressing with linear probing.

use std::{borrow::Borrow, sync::Arc};

/// Length of the array of a shard's first entry. All lengths are powers of two.
const FIRST_LENGTH: usize = 4;

#[derive(Clone)]
struct Entry<K, V> {
    /// Kept, so that most other keys are told apart, and entries are moved, without reading the key's text.
    hash: u32,
    key: K,
    value: V,
}

/// At least a fifth of the slots is free, so that probing ends.
pub(super) struct Shard<K, V>(Arc<[Option<Entry<K, V>>]>);

impl<K, V> Shard<K, V> {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flatten().map(|entry| (&entry.key, &entry.value))
    }

    pub(super) fn get<Q>(&self, hash: u32, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut place = start(hash, self.0.len());
        loop {
            let entry = self.0.get(place)?.as_ref()?;
            if entry.hash == hash && entry.key.borrow() == key {
                return Some((&entry.key, &entry.value));
            }
            place = (place + 1) & (self.0.len() - 1);
        }
    }
}

impl<K: Eq + Clone, V: Clone> Shard<K, V> {
    pub(super) fn get_mut<Q>(&mut self, hash: u32, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let slots = Arc::make_mut(&mut self.0);
        let same = |entry: &&mut Entry<K, V>| entry.hash == hash && entry.key.borrow() == key;
        let found = slots.iter_mut().flatten().find(same)?;
        Some(&mut found.value)
    }

    pub(super) fn insert(&mut self, hash: u32, key: K, value: V) -> Option<V> {
        if self.get(hash, &key).is_some() {
            let held = self.get_mut(hash, &key)?;
            return Some(std::mem::replace(held, value));
        }
        let entries = self.0.iter().flatten().count() + 1;
        let added = Entry { hash, key, value };
        if length_for(entries) > self.0.len() {
            let all = self.0.iter().flatten().cloned();
            *self = Self::of(entries, all.chain(std::iter::once(added)));
        } else {
            put(Arc::make_mut(&mut self.0), added);
        }
        None
    }

    pub(super) fn remove<Q>(&mut self, hash: u32, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let removed = self.get(hash, key)?.1.clone();
        let other = |entry: &&Entry<K, V>| entry.hash != hash || entry.key.borrow() != key;
        let left = self.0.iter().flatten().filter(other);
        *self = Self::of(left.clone().count(), left.cloned());
        Some(removed)
    }

    /// The entries whose hash is one of these, and the others.
    pub(super) fn divided(&self, these: impl Fn(u32) -> bool) -> (Self, Self) {
        let part = |wanted| {
            let part = self
                .0
                .iter()
                .flatten()
                .filter(|entry| these(entry.hash) == wanted);
            Self::of(part.clone().count(), part.cloned())
        };
        (part(true), part(false))
    }

    fn of(count: usize, entries: impl Iterator<Item = Entry<K, V>>) -> Self {
        let mut slots: Vec<_> = (0..length_for(count)).map(|_| None).collect();
        for entry in entries {
            put(&mut slots, entry);
        }
        Self(Arc::from(slots))
    }
}

/// Puts an entry into the first free slot from its own on; there is one.
fn put<K, V>(slots: &mut [Option<Entry<K, V>>], entry: Entry<K, V>) {
    let own = start(entry.hash, slots.len());
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

/// The least power of two of which so many entries leave a fifth free.
fn length_for(entries: usize) -> usize {
    match entries {
        0 => 0,
        _ => (entries + entries.div_ceil(4))
            .next_power_of_two()
            .max(FIRST_LENGTH),
    }
}

impl<K, V> Clone for Shard<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Default for Shard<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
