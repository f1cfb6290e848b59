//! What was found out about tokens: found again by their digest, never past its end, and never more than a bound.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use aws_lc_rs::digest;
use dashmap::DashMap;
use turnpike_access::id::Timestamp;

/// The SHA-256 of a token's text.
pub(super) type Digest = [u8; 32];

/// How often a token that was used since it was last looked at is passed over, in one search for room.
const SECOND_CHANCES: usize = 8;

/// Raised when keys of an issuer vanish: what was verified before then is verified anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch(Arc<AtomicU64>);

/// An epoch as it was when a verification began.
#[derive(Debug, Clone)]
pub(super) struct Since {
    epoch: Epoch,
    value: u64,
}

impl Epoch {
    pub(super) fn raise(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    pub(super) fn now(&self) -> Since {
        Since {
            epoch: self.clone(),
            value: self.0.load(Ordering::Acquire),
        }
    }
}

impl Since {
    fn still(&self) -> bool {
        self.epoch.0.load(Ordering::Acquire) == self.value
    }
}

/// Finding takes a shard's lock for reading. Making room (second chance, in the order of arrival) is for those who
/// add, and they have just verified a signature.
#[derive(Debug)]
pub(super) struct Remembered<V> {
    entries: DashMap<Digest, Entry<V>>,
    order: Mutex<VecDeque<Digest>>,
    bound: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Timestamp,
    since: Since,
    used: AtomicBool,
}

impl<V: Clone> Remembered<V> {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            entries: DashMap::new(),
            order: Mutex::default(),
            bound: bound.max(1),
        }
    }

    pub(super) fn find(&self, digest: &Digest, now: Timestamp) -> Option<V> {
        let entry = self.entries.get(digest)?;
        if now >= entry.until || !entry.since.still() {
            return None;
        }
        entry.used.store(true, Ordering::Relaxed);
        Some(entry.value.clone())
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.entries.remove(digest);
    }

    pub(super) fn add(&self, digest: Digest, value: V, until: Timestamp, since: Since) {
        let entry = Entry {
            value,
            until,
            since,
            used: AtomicBool::new(false),
        };
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if self.entries.insert(digest, entry).is_none() {
            order.push_back(digest);
        }
        let mut chances = SECOND_CHANCES;
        while order.len() > self.bound {
            let Some(oldest) = order.pop_front() else { break };
            let spare =
                |_: &Digest, entry: &Entry<V>| chances == 0 || !entry.used.swap(false, Ordering::Relaxed);
            if self.entries.remove_if(&oldest, spare).is_none() && self.entries.contains_key(&oldest) {
                chances = chances.saturating_sub(1);
                order.push_back(oldest);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

pub(super) fn digest(text: &str) -> Digest {
    digest_of(&[text.as_bytes()])
}

/// The SHA-256 of several parts, each preceded by its length, or of one as it is.
pub(super) fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        if parts.len() > 1 {
            context.update(&part.len().to_be_bytes());
        }
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
