//! A persistent hash table, for lookups whose cost is memory that is in no cache.
//!
//! Its entries lie in small open-addressed shards, found through a [`directory::Directory`] that stays in caches
//! where the shards do not: a lookup reads one cold line, and a second one only to compare a key that is text. A
//! copy of the table shares everything with the original; a change then copies three short runs of pointers and one
//! shard, so that whoever holds the other copy is not disturbed.
//!
//! It grows by linear hashing: when the shards become full on average, one of them, each in its turn, is split in
//! two. No insertion pays for more than that. A table does not shrink before it is empty.

use std::{borrow::Borrow, fmt, hash::BuildHasher, marker::PhantomData, sync::Arc};

use foldhash::{SharedSeed, quality::SeedableRandomState};

#[cfg(test)]
pub(crate) mod counted;
mod directory;
mod numbered;
mod prefetch;
mod shard;
mod slot;

pub(crate) use directory::Directory;
pub(crate) use numbered::{Numbered, Seat};
pub(crate) use prefetch::prefetch;
use shard::Shard;
pub use slot::{Entry, Slot};

/// What entries are found by. Equal keys, and borrowed forms of a key, hash alike.
pub trait Key: Eq {
    /// The key's hash, the same for as long as the process lives.
    fn table_hash(&self) -> u32;
}

/// The hash of some bytes, under seeds of this process, so that nobody can choose names that collide.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u32 {
    let seeds = SeedableRandomState::with_seed(0, SharedSeed::global_random());
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is as good")]
    let hash = seeds.hash_one(bytes) as u32;
    hash
}

impl Key for str {
    fn table_hash(&self) -> u32 {
        hash_bytes(self.as_bytes())
    }
}

impl Key for Arc<str> {
    fn table_hash(&self) -> u32 {
        self.as_ref().table_hash()
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn table_hash(&self) -> u32 {
        self.0.table_hash().rotate_left(16) ^ self.1.table_hash()
    }
}

/// A hash table of which a copy costs nothing and a change to it little. `S` is how an entry lies in memory.
pub struct Table<K, V, S = Entry<K, V>> {
    shards: Directory<Shard<S>>,
    len: usize,
    holds: PhantomData<(K, V)>,
}

impl<K, V, S: Slot<K, V>> Table<K, V, S> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards
            .iter()
            .flat_map(Shard::iter)
            .map(|slot| (slot.key(), slot.value()))
    }

    /// Every key, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Every value, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        #[cfg(test)]
        counted::lookup();
        if self.is_empty() {
            return None;
        }
        let hash = key.table_hash();
        let shard = self.shards.get(self.shard_of(hash))?;
        shard.get(hash, key).map(Slot::value)
    }

    /// Has the memory of a key's entry fetched, so that it is there when [`Table::get`] asks for it.
    pub(crate) fn prefetch<Q>(&self, key: &Q)
    where
        Q: Key + ?Sized,
    {
        if self.is_empty() {
            return;
        }
        let hash = key.table_hash();
        if let Some(shard) = self.shards.get(self.shard_of(hash)) {
            shard.prefetch(hash);
        }
    }

    /// Whether there is a value for a key.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        self.get(key).is_some()
    }

    /// The shards are numbered by the lower bits of the hash; those that were not split yet in this round of
    /// doubling by one bit less.
    fn shard_of(&self, hash: u32) -> usize {
        let (hash, shards) = (hash as usize, self.shards.len());
        let mask = shards.next_power_of_two() - 1;
        let place = hash & mask;
        if place < shards { place } else { hash & (mask >> 1) }
    }
}

impl<K: Key + Clone, V: Clone, S: Slot<K, V>> Table<K, V, S> {
    /// The value of a key, to be changed in this copy alone.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        // Looked for first: what is not there costs no copy.
        self.get(key)?;
        let hash = key.table_hash();
        let place = self.shard_of(hash);
        self.shards
            .get_mut(place)?
            .get_mut(hash, key)
            .map(Slot::value_mut)
    }

    /// Gives a key a value, and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.shards.len() == 0 || self.len >= self.shards.len() * S::FILL {
            self.split();
        }
        let hash = key.table_hash();
        let place = self.shard_of(hash);
        let before = self.shards.get_mut(place)?.insert(hash, S::new(hash, key, value));
        let before = before.map(Slot::into_value);
        if before.is_none() {
            self.len += 1;
        }
        before
    }

    /// The value of a key, a new one where it had none.
    pub fn get_or_default(&mut self, key: K) -> Option<&mut V>
    where
        V: Default,
    {
        if !self.contains_key(&key) {
            self.insert(key.clone(), V::default());
        }
        self.get_mut(&key)
    }

    /// Takes a key's value away.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        self.get(key)?;
        let hash = key.table_hash();
        let place = self.shard_of(hash);
        let removed = self.shards.get_mut(place)?.remove(hash, key)?.into_value();
        self.len -= 1;
        if self.is_empty() {
            *self = Self::default();
        }
        Some(removed)
    }

    /// Adds a shard, and moves into it what belongs there now.
    fn split(&mut self) {
        let added = self.shards.len();
        self.shards.push(Shard::default());
        // The new number without its highest bit: where what now belongs there has been until now.
        let from = added ^ (added.next_power_of_two() >> usize::from(!added.is_power_of_two()));
        let Some(old) = self.shards.get(from).filter(|_| added > 0).cloned() else {
            return;
        };
        let (moved, kept) = old.divided(|hash| self.shard_of(hash) == added);
        for (place, shard) in [(from, kept), (added, moved)] {
            if let Some(held) = self.shards.get_mut(place) {
                *held = shard;
            }
        }
    }
}

impl<K, V, S> Clone for Table<K, V, S> {
    fn clone(&self) -> Self {
        Self {
            shards: self.shards.clone(),
            len: self.len,
            holds: PhantomData,
        }
    }
}

impl<K, V, S> Default for Table<K, V, S> {
    fn default() -> Self {
        Self {
            shards: Directory::default(),
            len: 0,
            holds: PhantomData,
        }
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S: Slot<K, V>> fmt::Debug for Table<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
