//! Retention: what a tenant keeps no longer is taken out of the audit, day by day, so that the rest is proven as before.
//!
//! How old a record is says the edge's signature over its batch. What stands for records is signed here before they are deleted,
//! in the same transaction. What is not as its edge signed it is not deleted, for that would hide it. Where the store keeps each
//! week by itself, those to come are made ahead, and those that nothing is left of are dropped: a record is deleted on its own
//! first, because every one is read and hashed for what is signed of it anyway. Each control plane does all of it; what another
//! one did already is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    audit::{
        chain::{Checkpoint, Leaf, Link},
        retired::{Retired, StandIn},
    },
    id::{Name, Timestamp},
};
use turnpike_runtime::clock;

use crate::{
    projection::Projection,
    signing::Signing,
    store::{AuditStore, StoreError, proof::ChainedRecord},
};

/// How often it is looked; there is something to do once a day.
const EVERY: Duration = Duration::from_secs(600);
const DAY: i64 = 86_400_000_000;
/// Statements of edges of one query.
const PAGE: u32 = 500;

/// What looks after retention.
pub(crate) struct Retention {
    pub(crate) projection: Arc<Projection>,
    pub(crate) retiring: Retiring,
}

/// What takes records out.
pub(crate) struct Retiring {
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) signing: Signing,
}

/// Until when each tenant's records go.
type Cutoffs = BTreeMap<Name, Timestamp>;

impl Retention {
    /// Looks until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pass = interval(EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pass.tick() => {}
                () = stop.cancelled() => return,
            }
            let now = clock::now();
            tokio::select! {
                done = self.pass(now) => match done {
                    Ok(0) => {}
                    Ok(records) => tracing::info!(records, "took out of the audit what its tenants keep no longer"),
                    Err(error) => tracing::warn!(%error, "the audit's retention could not be seen to; it is tried again"),
                },
                () = stop.cancelled() => return,
            }
        }
    }

    async fn pass(&self, now: Timestamp) -> Result<u64, StoreError> {
        let snapshot = self.projection.snapshot();
        let kept = snapshot.tenants().into_iter().filter_map(|tenant| {
            let days = tenant.settings().audit.keep_days?;
            Some((tenant.name().clone(), days))
        });
        self.retiring.pass(&kept.collect(), now).await
    }
}

impl Retiring {
    /// Takes out what is over at a moment, by how many days each tenant's records are kept, and answers how many records that were.
    pub(crate) async fn pass(&self, kept: &BTreeMap<Name, u32>, now: Timestamp) -> Result<u64, StoreError> {
        let added = self.audit.add_weeks().await?;
        let deleted = self.take_out(kept, now).await?;
        let dropped = self.audit.drop_weeks().await?;
        if added + dropped > 0 {
            tracing::info!(
                added,
                dropped,
                "made room in the audit for weeks to come, and dropped weeks that were empty"
            );
        }
        Ok(deleted)
    }

    async fn take_out(&self, kept: &BTreeMap<Name, u32>, now: Timestamp) -> Result<u64, StoreError> {
        let (mut cutoffs, mut windows) = (Cutoffs::new(), BTreeSet::new());
        for (tenant, days) in kept {
            let cutoff = now.as_micros() - i64::from(*days) * DAY;
            let cutoff = Timestamp::from_micros(cutoff - cutoff.rem_euclid(DAY));
            let done = self.audit.retired_through(tenant).await?;
            if done.is_none_or(|done| done < cutoff) {
                windows.insert((done.unwrap_or(Timestamp::from_micros(0)), cutoff));
            }
            cutoffs.insert(tenant.clone(), cutoff);
        }
        let mut deleted = 0;
        for (since, until) in &windows {
            deleted += self.retire(*since, *until, &cutoffs, now).await?;
        }
        for (tenant, cutoff) in &cutoffs {
            if windows.iter().any(|(_, until)| until == cutoff) {
                self.audit.keep_retired_through(tenant, *cutoff).await?;
            }
        }
        Ok(deleted)
    }

    async fn retire(
        &self,
        since: Timestamp,
        until: Timestamp,
        cutoffs: &Cutoffs,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (mut deleted, mut last) = (0, None);
        let mut epoch: Option<Epoch> = None;
        loop {
            let page = self.audit.said_between(since, until, last.as_ref(), PAGE).await?;
            for said in &page {
                let same = epoch.take_if(|epoch| epoch.is(said));
                let mut at = match same {
                    Some(same) => same,
                    None => Epoch::of(said, self.audit.retired(&said.edge, said.epoch).await?),
                };
                let limit = u32::try_from(said.last - said.first + 1).unwrap_or(u32::MAX);
                let rows = self
                    .audit
                    .chained(&said.edge, said.epoch, said.first - 1, limit)
                    .await?;
                let rows: Vec<_> = rows
                    .into_iter()
                    .filter(|row| row.stored.id.sequence <= said.last)
                    .collect();
                if let Some((stand_in, first, end)) = at.stand_in(said, &rows, cutoffs) {
                    deleted += match &stand_in {
                        StandIn::Links(..) => rows.len() as u64,
                        StandIn::Leaves(leaves) => leaves.len() as u64,
                    };
                    self.audit
                        .retire(&self.signed(said, (first, end), stand_in.clone(), until, now))
                        .await?;
                    at.note(first, end, stand_in);
                }
                epoch = Some(at);
            }
            match page.into_iter().next_back() {
                Some(said) => last = Some(said),
                None => return Ok(deleted),
            }
        }
    }

    fn signed(
        &self,
        said: &Checkpoint,
        (first, last): (u64, u64),
        stand_in: StandIn,
        until: Timestamp,
        now: Timestamp,
    ) -> Retired {
        let mut retired = Retired {
            edge: said.edge.clone(),
            epoch: said.epoch,
            first,
            last,
            stand_in,
            until,
            time: now,
            key: String::new(),
            signature: Vec::new(),
        };
        (retired.key, retired.signature) = self.signing.sign_statement(&retired.statement());
        retired
    }
}

/// What stands for the deleted records of an epoch.
struct Epoch {
    edge: String,
    epoch: u64,
    leaves: BTreeMap<u64, Leaf>,
    /// The last record of each stretch that is gone, with the first, and the chain after it.
    stretches: BTreeMap<u64, (u64, Link)>,
    /// Up to here something is not as the edge signed it, and stays.
    doubtful: u64,
}

impl Epoch {
    fn of(said: &Checkpoint, retired: Vec<Retired>) -> Self {
        let mut this = Self {
            edge: said.edge.clone(),
            epoch: said.epoch,
            leaves: BTreeMap::new(),
            stretches: BTreeMap::new(),
            doubtful: 0,
        };
        for one in retired {
            this.note(one.first, one.last, one.stand_in);
        }
        this
    }

    fn is(&self, said: &Checkpoint) -> bool {
        self.edge == said.edge && self.epoch == said.epoch
    }

    fn note(&mut self, first: u64, last: u64, stand_in: StandIn) {
        match stand_in {
            StandIn::Links(_, after) => drop(self.stretches.insert(last, (first, after))),
            StandIn::Leaves(leaves) => self.leaves.extend(leaves),
        }
    }

    /// What is to stand for those of the rows that go, and the first and last of them. `None`: none goes, or something is not as
    /// the edge signed it.
    fn stand_in(
        &mut self,
        said: &Checkpoint,
        rows: &[ChainedRecord],
        cutoffs: &Cutoffs,
    ) -> Option<(StandIn, u64, u64)> {
        // A batch that was sent again may begin within a stretch that is gone.
        let gone = self.stretches.range(said.first..).next();
        let gone = gone.filter(|(_, (first, _))| *first <= said.last);
        let (first, mut before) =
            gone.map_or((said.first, said.before), |(last, (_, after))| (last + 1, *after));
        let begin = first.max(self.doubtful + 1);
        if begin > said.last {
            return None;
        }
        let rows: BTreeMap<u64, &ChainedRecord> =
            rows.iter().map(|row| (row.stored.id.sequence, row)).collect();
        let mut link = before;
        let mut going = Vec::new();
        for sequence in first..=said.last {
            if sequence == begin {
                before = link;
            }
            let row = rows.get(&sequence);
            let Some(leaf) = row.map(|row| row.leaf()).or(self.leaves.get(&sequence).copied()) else {
                self.doubtful = said.last;
                return None;
            };
            link = link.after(sequence, leaf);
            if sequence >= begin && row.is_some_and(|row| goes(row, said.time, cutoffs)) {
                going.push((sequence, leaf));
            }
        }
        if link != said.after {
            tracing::error!(edge = %said.edge, epoch = said.epoch, first, last = said.last,
                "audit records that are due to go are not as their edge signed them; they stay: see `turnpike audit verify`");
            self.doubtful = said.last;
            return None;
        }
        let staying = rows.range(begin..).count() - going.len();
        if staying == 0 {
            return Some((StandIn::Links(before, link), begin, said.last));
        }
        let (start, end) = (going.first()?.0, going.last()?.0);
        Some((StandIn::Leaves(going), start, end))
    }
}

/// Whether a row, signed at a moment, is kept no longer. What is nobody's is the operators'.
fn goes(row: &ChainedRecord, signed: Timestamp, cutoffs: &Cutoffs) -> bool {
    let tenant = row.stored.record.tenant.as_deref();
    let platform = Name::platform();
    let tenant = tenant.unwrap_or(platform.as_str());
    let mut cutoffs = cutoffs.iter();
    let of = cutoffs.find(|(name, _)| name.as_str() == tenant);
    of.is_some_and(|(_, cutoff)| signed < *cutoff)
}
