//! How a folded state is cut into rows and put together again.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use turnpike_access::log::Head;

/// Bytes in one row: small enough for any driver, large enough to be few.
const CHUNK: usize = 1024 * 1024;

/// So many states are kept in any case: the newest, and one in case it is broken.
const NEWEST: usize = 2;

/// Of older states so many are kept that a past one is put together from no more events than this, or than three
/// quarters of those that lie between the state that is begun with and the newest: two for each four times as many.
const NEAR: i64 = 10_000;

/// Which of the kept states, by their positions, are not needed any more.
pub(super) fn outdated(mut kept: Vec<i64>) -> Vec<i64> {
    kept.sort_unstable_by_key(|position| std::cmp::Reverse(*position));
    let newest = kept.first().copied().unwrap_or_default();
    let mut newer = kept.get(..NEWEST).and_then(|all| all.last()).copied();
    // The state before the first event is there without being kept.
    let older = kept.iter().skip(NEWEST + 1).copied().chain([0]);
    let mut outdated = Vec::new();
    for (position, older) in kept.iter().skip(NEWEST).copied().zip(older) {
        let gap = newer.unwrap_or(newest) - older;
        if gap <= NEAR.max((newest - older) / 4 * 3) {
            outdated.push(position);
        } else {
            newer = Some(position);
        }
    }
    outdated
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_states_are_kept_ever_sparser_and_few() {
        let mut kept = Vec::new();
        for position in (10_000..4_000_000).step_by(10_000) {
            kept.push(position);
            let dropped = outdated(kept.clone());
            kept.retain(|one| !dropped.contains(one));
            assert!(kept.len() <= 12, "{kept:?}");
            // From any moment of the past, a kept state is near, measured by how long ago it was.
            for past in (0..position).step_by(90_000) {
                let start = kept.iter().copied().filter(|one| *one <= past).max().unwrap_or(0);
                assert!(
                    past - start <= NEAR.max((position - start) / 4 * 3),
                    "{past} {kept:?}"
                );
            }
        }
    }

    #[test]
    fn of_states_near_each_other_only_the_newest_two_are_kept() {
        assert_eq!(outdated(vec![1, 9, 7, 8]), [7, 1]);
        assert!(outdated(Vec::new()).is_empty());
    }
}
