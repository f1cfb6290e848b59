//! The store of audit records, as a trait: what every engine promises. Where usage and alerts come from.

use std::{collections::HashMap, fmt, str::FromStr};

use async_trait::async_trait;
use turnpike_access::{
    audit::{AuditId, AuditRecord, Outcome, chain::Checkpoint},
    id::{Id, Name, Timestamp},
};

use super::StoreError;

use anomaly::{Claim, Noted, Refused, RefusedBy};
use proof::{ChainedRecord, KnownEpoch};
use sights::{Sight, Spread};
use sink::AuditSinks;
use usage::{UsageQuery, UsageReport};

pub use credential_use::{Activity, LastUse};
pub use retired::AuditRetention;

pub mod anomaly;
pub(super) mod columns;
pub(super) mod credential_use;
pub(super) mod decode;
pub mod proof;
pub(super) mod retired;
pub(super) mod rollup;
pub(super) mod select;
pub mod sights;
pub mod sink;
pub mod usage;
pub(super) mod watermark;

/// Records of requests, never changed, and kept for as long as their tenant wants.
#[async_trait]
pub trait AuditStore: AuditRetention + AuditSinks {
    /// Keeps `records`, whose sequences count up from `first_sequence` (from 1), in one transaction.
    ///
    /// Idempotent: a record whose `(edge, epoch, sequence)` is kept already stays as it is, so a batch may be sent
    /// again whole or in part, by anybody. Returns the epoch's watermark: every sequence up to it is on durable storage. A
    /// batch beyond the watermark is kept, and the watermark stays until the gap is filled. An empty batch asks
    /// for the watermark. NUL characters, which databases can't keep, become U+FFFD.
    async fn insert(
        &self,
        edge: &str,
        epoch: u64,
        first_sequence: u64,
        records: &[AuditRecord],
    ) -> Result<u64, StoreError>;

    /// A tenant's records that match `filter`, newest first. Records that no tenant is known of are the platform's.
    async fn list(
        &self,
        tenant: &Name,
        filter: &AuditFilter,
        page: Page,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// When those of a tenant's credentials that were ever used were last used, whatever was answered; as of the
    /// records that are kept. A credential that was named without its secret was not used.
    async fn last_uses(&self, tenant: &Name, credentials: &[Id]) -> Result<HashMap<Id, LastUse>, StoreError>;

    /// What a tenant's credential was used for since a moment, or ever.
    async fn activity(
        &self,
        tenant: &Name,
        credential: Id,
        since: Option<Timestamp>,
    ) -> Result<Activity, StoreError>;

    /// What a tenant used. Rows are counted in the transaction that keeps them: each once, in its own minute.
    async fn usage(&self, tenant: &Name, query: &UsageQuery) -> Result<UsageReport, StoreError>;

    /// Keeps what an edge said of its chain about records that are kept, and the bytes of those, by their sequence, that
    /// can't be made again from their rows. What is kept already stays as it is.
    async fn keep_checkpoint(&self, said: &Checkpoint, originals: &[(u64, &[u8])]) -> Result<(), StoreError>;

    /// Every epoch after one, in order.
    async fn epochs(&self, after: Option<(&str, u64)>, limit: u32) -> Result<Vec<KnownEpoch>, StoreError>;

    /// The rows of an epoch, of whatever tenant, after a sequence, in order.
    async fn chained(
        &self,
        edge: &str,
        epoch: u64,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChainedRecord>, StoreError>;

    /// What an edge said of an epoch, in the order of the last and the first record that it is about, after such a pair.
    async fn checkpoints(
        &self,
        edge: &str,
        epoch: u64,
        after: (u64, u64),
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError>;

    /// Which subjects of a tenant were refused at least so often in a span; the hundred with the most, those first.
    async fn refused(
        &self,
        tenant: &Name,
        by: RefusedBy,
        since: Timestamp,
        until: Timestamp,
        least: u32,
    ) -> Result<Vec<Refused>, StoreError>;

    /// What principals saw for the first time in a span, those of them that were known before a moment.
    async fn unexpected(
        &self,
        tenant: &Name,
        since: Timestamp,
        until: Timestamp,
        known_before: Timestamp,
    ) -> Result<Vec<Sight>, StoreError>;

    /// Networks and clients that a tenant's credentials came from for the first time since a moment, and credentials that came
    /// from many of both, ever.
    async fn shadows(&self, tenant: &Name, since: Timestamp)
    -> Result<(Vec<Sight>, Vec<Spread>), StoreError>;

    /// Notes that an anomaly is there. `true`: it was not told, nobody else is about to tell it, and whoever asks is the one
    /// to tell it, before the lease is over.
    async fn claim(&self, claim: Claim<'_>) -> Result<bool, StoreError>;

    /// Notes that a claimed anomaly was told.
    async fn told(&self, claim: Claim<'_>) -> Result<(), StoreError>;

    /// What was noted of a tenant's anomalies, those that are over too, until they are forgotten.
    async fn anomalies(&self, tenant: &Name) -> Result<Vec<Noted>, StoreError>;

    /// Forgets anomalies that were over before a moment.
    async fn forget_anomalies(&self, before: Timestamp) -> Result<(), StoreError>;

    /// Counts everything anew, out of the records that are kept; what was counted of those that are retired stays. Others may go on keeping records meanwhile.
    async fn rebuild_usage(&self) -> Result<(), StoreError>;
}

/// Which records to list: those that match every field given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// `user:alice`.
    pub principal: Option<String>,
    /// The credential's public id.
    pub credential: Option<Id>,
    /// The model served or the model asked for.
    pub model: Option<String>,
    /// Allowed or refused.
    pub outcome: Option<Outcome>,
    /// The reason's word.
    pub reason: Option<String>,
    /// The status sent to the client.
    pub status: Option<u16>,
    /// The action judged.
    pub action: Option<String>,
    /// The provider's name.
    pub provider: Option<String>,
    /// The `x-request-id`.
    pub request_id: Option<String>,
    /// The `x-turnpike-decision`.
    pub decision_id: Option<String>,
    /// The name of the issuer whose token it was.
    pub issuer: Option<String>,
    /// A group that the token carried, as `issuer/value`.
    pub group: Option<String>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most so many records.
    pub limit: u32,
    /// Only what comes after this one in the list.
    pub after: Option<Cursor>,
}

/// A place in a list: what [`StoredRecord::cursor`] gave. Opaque to clients, who get it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    time: Timestamp,
    row: i64,
}

/// A record as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// Where it was made.
    pub id: AuditId,
    /// What was recorded. Pairs of metadata come sorted by their key.
    pub record: AuditRecord,
    pub(super) row: i64,
}

impl StoredRecord {
    /// Its place in a list.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            time: self.record.time,
            row: self.row,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.time.as_micros(), self.row)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (time, row) = text.split_once('.').ok_or(InvalidCursor)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| InvalidCursor);
        Ok(Self {
            time: Timestamp::from_micros(number(time)?),
            row: number(row)?,
        })
    }
}

/// A text that no list gave as a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not one that a list has returned: ask for the first page again")]
pub struct InvalidCursor;

/// The tenant columns that a tenant may see.
pub(super) fn visible_to(tenant: &Name) -> Vec<&str> {
    if *tenant == Name::platform() {
        vec![tenant.as_str(), ""]
    } else {
        vec![tenant.as_str()]
    }
}

/// Joins the lists of [`visible_to`] into one page.
pub(super) fn newest(mut records: Vec<StoredRecord>, limit: u32) -> Vec<StoredRecord> {
    records.sort_by_key(|record| std::cmp::Reverse(record.cursor()));
    records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    records
}
