//! How far an epoch is stored without a gap.

use crate::store::StoreError;

/// The state of one epoch, as its row has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    /// Everything up to here is stored.
    pub(in crate::store) contiguous: i64,
    /// The highest sequence stored.
    pub(in crate::store) highest: i64,
}

/// The first sequence of a batch, checked to fit the database together with the batch's length.
pub(in crate::store) fn first(first_sequence: u64, length: usize) -> Result<i64, StoreError> {
    let out_of_range = StoreError::Invalid("audit sequences count from 1 and stay below 2^63");
    let end = u64::try_from(length)
        .ok()
        .and_then(|length| first_sequence.checked_add(length));
    match (i64::try_from(first_sequence), end.map(i64::try_from)) {
        (Ok(first @ 1..), Some(Ok(_))) => Ok(first),
        _ => Err(out_of_range),
    }
}

impl Mark {
    /// How many records at the front of a batch are stored already.
    pub(in crate::store) fn known(self, first: i64) -> usize {
        usize::try_from(self.contiguous - first + 1).unwrap_or(0)
    }

    /// The state after the sequences `first..=last` were stored. What lay beyond a gap that is now
    /// filled is not yet counted: see [`Self::gapped`].
    pub(in crate::store) fn stored(self, first: i64, last: i64) -> Self {
        let joins = first <= self.contiguous + 1;
        Self {
            contiguous: if joins {
                self.contiguous.max(last)
            } else {
                self.contiguous
            },
            highest: self.highest.max(last),
        }
    }

    /// Whether something is stored beyond the contiguous part.
    pub(in crate::store) fn gapped(self) -> bool {
        self.highest > self.contiguous
    }
}
