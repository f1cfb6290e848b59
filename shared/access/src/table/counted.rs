//! How often a test's thread has looked something up: what the time of an answer could tell of.

use std::cell::Cell;

thread_local! {
    static LOOKUPS: Cell<u32> = const { Cell::new(0) };
}

pub(super) fn lookup() {
    LOOKUPS.set(LOOKUPS.get() + 1);
}

/// Lookups since this was last asked.
pub(crate) fn take() -> u32 {
    LOOKUPS.take()
}
