//! How a folded state is cut into rows and put together again.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use turnpike_access::log::Head;

/// Bytes in one row: small enough for any driver, large enough to be few.
const CHUNK: usize = 1024 * 1024;

/// How many states are kept: the newest, and one in case it is broken.
pub(super) const KEPT: i64 = 2;

/// The rows' contents, with their numbers.
pub(super) fn split(state: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    (0..).zip(state.chunks(CHUNK))
}

/// What is checked at load. The head is in it, so that a state can't be taken for another position's.
pub(super) fn digest(head: Head, state: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(head.position.get().to_be_bytes());
    sha.update(head.hash.as_bytes());
    sha.update(state);
    sha.finalize().into()
}

/// The state out of its rows, unless it is not what was saved.
pub(super) fn join(head: Head, sha256: &[u8], chunks: &[Vec<u8>]) -> Option<Bytes> {
    let mut state = BytesMut::with_capacity(chunks.iter().map(Vec::len).sum());
    for chunk in chunks {
        state.extend_from_slice(chunk);
    }
    if digest(head, &state) == sha256 {
        return Some(state.freeze());
    }
    tracing::warn!(position = %head.position, "a kept state of the log is damaged and is passed over");
    None
}

/// Warns of a state whose position is not, or not so, in the log: the database was put back to an earlier time.
pub(super) fn warn_foreign(head: Head) {
    tracing::warn!(position = %head.position, "a kept state is not of this log and is passed over");
}
