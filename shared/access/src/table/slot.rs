//! How an entry lies in a table's memory.

/// An entry of a table, with its key and its value.
pub trait Slot<K, V>: Clone {
    /// How many entries a shard has on average before another one is added. A change copies all of a shard.
    const FILL: usize = 20;

    /// An entry.
    fn new(hash: u32, key: K, value: V) -> Self;
    /// The hash of its key.
    fn hash(&self) -> u32;
    /// Whether its key can have this hash. Cheap: only the key decides.
    fn may_hold(&self, hash: u32) -> bool;
    /// Its key.
    fn key(&self) -> &K;
    /// Its value.
    fn value(&self) -> &V;
    /// Its value, to be changed; the key stays.
    fn value_mut(&mut self) -> &mut V;
    /// Its value alone.
    fn into_value(self) -> V;
}

/// The usual entry.
#[derive(Debug, Clone)]
pub struct Entry<K, V> {
    /// Kept, so that most other keys are told apart, and entries are moved, without reading the key's text.
    hash: u32,
    key: K,
    value: V,
}

impl<K: Clone, V: Clone> Slot<K, V> for Entry<K, V> {
    fn new(hash: u32, key: K, value: V) -> Self {
        Self { hash, key, value }
    }

    fn hash(&self) -> u32 {
        self.hash
    }

    fn may_hold(&self, hash: u32) -> bool {
        self.hash == hash
    }

    fn key(&self) -> &K {
        &self.key
    }

    fn value(&self) -> &V {
        &self.value
    }

    fn value_mut(&mut self) -> &mut V {
        &mut self.value
    }

    fn into_value(self) -> V {
        self.value
    }
}
