//! The store of the event log and of what hangs on it, as a trait: what every engine promises.
//!
//! Nothing here interprets an event. Verifying what was read is the reader's part, see
//! [`turnpike_access::log::Recorded::follows`].

use async_trait::async_trait;
use bytes::Bytes;
use turnpike_access::{
    id::{Id, Name, Timestamp},
    log::{Head, Position, Recorded},
};

use super::{AppendError, LeaseClaim, StoreError, watch::Watch};

/// The log, its snapshots, the bus's signing keys and the edges' reports.
///
/// Any number of processes may share one store. Every method may be retried, except as [`Self::append`] says. A future
/// may be dropped at any time; what it was doing is then either done whole or not at all.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Where the committed log ends.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Commits `events` as the continuation of `expected`, all or none.
    ///
    /// When it returns `Ok` the batch is on durable storage and in every later read of every process. Positions are
    /// handed out under a lock that is held until commit, so a reader that has seen a position never
    /// later finds an event before it. An empty batch is `Ok` and does nothing.
    ///
    /// The error says who may retry: after `Conflict` with a batch made anew, after `Unavailable` with the same one,
    /// after `Unknown` only when [`Self::committed`] has said no.
    async fn append(&self, expected: Head, events: &[Recorded]) -> Result<(), AppendError>;

    /// At most `limit` committed events after `after`, in order. Empty at the end.
    async fn read(&self, after: Position, limit: u32) -> Result<Vec<Recorded>, StoreError>;

    /// At most `limit` committed events of some kinds in one tenant after `after`, in order. Empty at the end.
    async fn of_kinds(
        &self,
        tenant: &Name,
        kinds: &[&str],
        after: Position,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// Whether exactly this event is in the log: settles an append of unknown outcome by its last event.
    ///
    /// A "no" is final once the head has moved past the event's predecessor; before that the lost commit may, for
    /// seconds, still be under way, and an append on the same head will wait for it and then conflict.
    async fn committed(&self, last: &Recorded) -> Result<bool, StoreError> {
        let before = Position::new(last.position.get().saturating_sub(1));
        Ok(self
            .read(before, 1)
            .await?
            .first()
            .is_some_and(|found| found.hash == last.hash))
    }

    /// Wakes when something may have been committed. A hint that may be late, lost or idle: poll as well.
    fn watch(&self) -> Watch;

    /// Keeps a folded state, and of all kept states the two newest and, ever sparser, older ones. Saving the same position
    /// again replaces it.
    async fn save_snapshot(&self, head: Head, state: Bytes) -> Result<(), StoreError>;

    /// The newest state that is not after `until`, is whole and belongs to this log; broken ones are passed over with a
    /// warning.
    async fn load_snapshot(&self, until: Position) -> Result<Option<(Head, Bytes)>, StoreError>;

    /// The bus's signing keys, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Keeps a key. A key of the same id stays as it is.
    async fn add_signing_key(&self, key: &SealedKey) -> Result<(), StoreError>;

    /// Keeps `candidate` if there is no key at all, and returns what then is there, oldest first. However many control
    /// planes start at once, all get the same first key.
    async fn first_signing_key(&self, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError>;

    /// Keeps `candidate` if no authority for edges' certificates is kept, and returns the one that then is. However many control
    /// planes start at once, all get the same.
    async fn first_edge_authority(&self, candidate: &SealedKey) -> Result<SealedKey, StoreError>;

    /// The keys of Turnpike's own tokens, oldest first. Which of them are believed is for the log to say.
    async fn token_keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Keeps a key of Turnpike's own tokens. A key of the same id stays as it is.
    async fn add_token_key(&self, key: &SealedKey) -> Result<(), StoreError>;

    /// Forgets a key of Turnpike's own tokens. One that is not there is forgotten already.
    async fn remove_token_key(&self, id: &str) -> Result<(), StoreError>;

    /// Keeps a key until it is released. A key of the same id stays as it is.
    async fn hold_key(&self, key: &HeldKey) -> Result<(), StoreError>;

    /// Every key that is held, or those of one credential, oldest first.
    async fn held_keys(&self, credential: Option<Id>) -> Result<Vec<HeldKey>, StoreError>;

    /// Forgets a held key. Of many who do so at once, one is told `true`.
    async fn release_key(&self, id: Id) -> Result<bool, StoreError>;

    /// Keeps what edges reported, each of them named once, unless something later is known. Not events: they may be lost with their
    /// second.
    async fn report_edges(&self, reports: &[EdgeReport]) -> Result<(), StoreError>;

    /// Every known edge, by name.
    async fn edges(&self) -> Result<Vec<EdgeReport>, StoreError>;

    /// Forgets an edge. `false` if it was not known.
    async fn forget_edge(&self, name: &str) -> Result<bool, StoreError>;

    /// Keeps a receipt, in the place of an earlier one of the same position.
    async fn save_receipt(&self, receipt: &StoredReceipt) -> Result<(), StoreError>;

    /// The receipt that was kept of a position.
    async fn receipt(&self, position: Position) -> Result<Option<StoredReceipt>, StoreError>;

    /// Forgets receipts but for so many of the highest positions.
    async fn trim_receipts(&self, keep: u32) -> Result<(), StoreError>;

    /// Gives a lease to whoever has it already, or to the first who asks once it has run out by the database's clock, and says how
    /// far its holders say that they have come; `None`: it is another's. At no moment is it two holders'.
    async fn claim_lease(&self, claim: LeaseClaim<'_>) -> Result<Option<Position>, StoreError>;
}

/// Where a change stood at the edges, as text that others can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// Of the change's last event.
    pub position: Position,
    /// The receipt.
    pub text: String,
}

/// A key that signs what goes over the bus, Turnpike's own tokens, or edges' certificates.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Its public name.
    pub id: String,
    /// The private half, sealed under the keyring.
    pub sealed: Vec<u8>,
    /// The public half.
    pub public_key: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedKey")
            .field("id", &self.id)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// A key that Turnpike made by itself, until whoever it is for takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldKey {
    /// Its own id.
    pub id: Id,
    /// The credential's tenant.
    pub tenant: Name,
    /// Whose key it is.
    pub credential: Id,
    /// The full key, sealed under the keyring.
    pub sealed: String,
    /// When it was made.
    pub created: Timestamp,
}

impl std::fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldKey")
            .field("id", &self.id)
            .field("credential", &self.credential)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// What is known of one edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeReport {
    /// The edge's name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// The version it runs.
    pub version: String,
    /// Its run: a new one each time that it starts.
    pub epoch: u64,
    /// The position that it decides by.
    pub position: Position,
    /// When it began to decide by that position, by its own clock.
    pub applied: Timestamp,
    /// Why it stopped following the log, if it did.
    pub halted: Option<String>,
    /// When it was last heard, by the control plane's clock.
    pub last_seen: Timestamp,
    /// It took leave; nobody waits for it.
    pub departed: bool,
    /// The public key by which it signs identity headers, `x` of its JWK.
    pub identity_key: Option<String>,
    /// Its signed word for its position.
    pub statement: Option<String>,
    /// Everything committed by then was in force, by the control plane's clock.
    pub certain: Option<Timestamp>,
}

/// Refuses, before anything is sent, what can't be a continuation of `expected`.
pub(super) fn check_batch(expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
    let mut head = expected;
    for event in events {
        event.follows(head)?;
        let texts = [
            &event.origin.actor,
            &event.origin.correlation,
            &event.kind,
            &event.payload,
        ];
        if texts.iter().any(|text| text.contains('\0')) {
            return Err(AppendError::Nul(event.position));
        }
        head = event.head();
    }
    Ok(())
}
