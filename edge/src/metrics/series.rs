//! Series that were found once: instruments already bound to their labels, by what the labels are made of.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

/// As many label sets as OpenTelemetry itself tells apart. Those beyond are bound anew each time, which is slow but
/// right.
const LIMIT: usize = 2000;

/// Reading takes no lock; a new label set copies the map.
pub(super) struct Series<K, V>(ArcSwap<HashMap<K, Arc<V>, RandomState>>);

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}

impl<K: Clone + Eq + Hash, V> Series<K, V> {
    pub(super) fn get(&self, key: K, bind: impl FnOnce(&K) -> V) -> Arc<V> {
        if let Some(found) = self.0.load().get(&key) {
            return found.clone();
        }
        let bound = Arc::new(bind(&key));
        self.0.rcu(|known| {
            let mut next = HashMap::clone(known);
            if next.len() < LIMIT {
                next.insert(key.clone(), bound.clone());
            }
            next
        });
        bound
    }
}
