//! The audit's proof as a stream: read page by page, so that neither side holds more than one.

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt as _, stream, stream::BoxStream};
use tonic::Status;
use turnpike_access::audit::{
    chain::Checkpoint,
    retired::{Retired, StandIn},
};
use turnpike_proto::admin::v1::{self, audit_proof::Part};

use crate::{
    rpc::wire::unavailable,
    store::{
        AuditStore, StoreError,
        proof::{ChainedRecord, KnownEpoch},
    },
};

/// What the handler answers.
pub(super) type Proofs = BoxStream<'static, Result<v1::AuditProof, Status>>;

/// Rows and checkpoints of one query.
const PAGE: u32 = 2000;
/// Epochs of one query.
const EPOCHS: u32 = 500;

/// Everything, in the order in which a walk takes it.
pub(super) fn proofs(store: Arc<dyn AuditStore>) -> Proofs {
    let reading = Reading {
        store,
        epochs: VecDeque::new(),
        last: None,
        at: None,
        ready: VecDeque::new(),
    };
    stream::try_unfold(reading, |mut reading| async move {
        match reading.next().await.map_err(unavailable)? {
            Some(part) => Ok(Some((v1::AuditProof { part: Some(part) }, reading))),
            None => Ok(None),
        }
    })
    .boxed()
}

struct Reading {
    store: Arc<dyn AuditStore>,
    epochs: VecDeque<KnownEpoch>,
    /// The last epoch that was read.
    last: Option<(String, u64)>,
    at: Option<Place>,
    /// What is to be sent before more is read.
    ready: VecDeque<Part>,
}

/// How far an epoch is read.
struct Place {
    edge: String,
    epoch: u64,
    rows: Read<ChainedRecord, u64>,
    said: Read<Checkpoint, (u64, u64)>,
}

/// A list that is read page by page.
struct Read<T, P> {
    page: VecDeque<T>,
    after: P,
    ended: bool,
}

impl<T, P: Default> Default for Read<T, P> {
    fn default() -> Self {
        Self {
            page: VecDeque::new(),
            after: P::default(),
            ended: false,
        }
    }
}

impl<T, P> Read<T, P> {
    fn wants_more(&self) -> bool {
        self.page.is_empty() && !self.ended
    }

    fn came(&mut self, page: Vec<T>, place: impl Fn(&T) -> P) {
        self.ended = page.len() < PAGE as usize;
        if let Some(last) = page.last() {
            self.after = place(last);
        }
        self.page = page.into();
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Part>, StoreError> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Some(part));
            }
            match &mut self.at {
                Some(place) => {
                    place.fill(&*self.store).await?;
                    place.merge(&mut self.ready);
                    if self.ready.is_empty() {
                        self.at = None;
                    }
                }
                None => match self.next_epoch().await? {
                    Some(epoch) => self.begin(epoch).await?,
                    None => return Ok(None),
                },
            }
        }
    }

    async fn next_epoch(&mut self) -> Result<Option<KnownEpoch>, StoreError> {
        if self.epochs.is_empty() {
            let after = self.last.as_ref().map(|(edge, epoch)| (edge.as_str(), *epoch));
            self.epochs = self.store.epochs(after, EPOCHS).await?.into();
        }
        Ok(self.epochs.pop_front())
    }

    async fn begin(&mut self, known: KnownEpoch) -> Result<(), StoreError> {
        let KnownEpoch {
            edge,
            epoch,
            highest,
            contiguous: _,
        } = known;
        self.last = Some((edge.clone(), epoch));
        self.ready.push_back(Part::Epoch(v1::AuditEpoch {
            edge: edge.clone(),
            epoch,
            highest,
        }));
        let retired = self.store.retired(&edge, epoch).await?;
        self.ready
            .extend(retired.into_iter().map(|retired| Part::Retired(gone(retired))));
        self.at = Some(Place {
            edge,
            epoch,
            rows: Read::default(),
            said: Read::default(),
        });
        Ok(())
    }
}

impl Place {
    async fn fill(&mut self, store: &dyn AuditStore) -> Result<(), StoreError> {
        if self.rows.wants_more() {
            let page = store
                .chained(&self.edge, self.epoch, self.rows.after, PAGE)
                .await?;
            self.rows.came(page, |row| row.stored.id.sequence);
        }
        if self.said.wants_more() {
            let page = store
                .checkpoints(&self.edge, self.epoch, self.said.after, PAGE)
                .await?;
            self.said.came(page, |said| (said.last, said.first));
        }
        Ok(())
    }

    /// Rows up to each checkpoint, then the checkpoint, until one of the pages is used up.
    fn merge(&mut self, ready: &mut VecDeque<Part>) {
        loop {
            let up_to = self.said.page.front().map(|said| said.last);
            if up_to.is_none() && !self.said.ended {
                return;
            }
            let up_to = up_to.unwrap_or(u64::MAX);
            while let Some(row) = self.rows.page.pop_front_if(|row| row.stored.id.sequence <= up_to) {
                push(ready, row.stored.id.sequence, row.leaf().0.into());
            }
            if self.rows.wants_more() {
                return;
            }
            match self.said.page.pop_front() {
                Some(said) => ready.push_back(Part::Checkpoint(wire(said))),
                None => return,
            }
        }
    }
}

/// Consecutive rows go into one message.
fn push(ready: &mut VecDeque<Part>, sequence: u64, hash: Vec<u8>) {
    match ready.back_mut() {
        Some(Part::Leaves(leaves)) if leaves.first + leaves.hashes.len() as u64 == sequence => {
            leaves.hashes.push(hash);
        }
        _ => ready.push_back(Part::Leaves(v1::AuditLeaves {
            first: sequence,
            hashes: vec![hash],
        })),
    }
}

fn wire(said: Checkpoint) -> v1::AuditCheckpoint {
    let Checkpoint {
        edge: _,
        epoch: _,
        first,
        last,
        before,
        after,
        time,
        key,
        signature,
    } = said;
    v1::AuditCheckpoint {
        first,
        last,
        before: before.0.into(),
        after: after.0.into(),
        time_us: time.as_micros(),
        key,
        signature,
    }
}

fn gone(retired: Retired) -> v1::AuditRetired {
    let Retired {
        edge: _,
        epoch: _,
        first,
        last,
        stand_in,
        until,
        time,
        key,
        signature,
    } = retired;
    let (links, leaves) = match stand_in {
        StandIn::Links(before, after) => (Some((before, after)), Vec::new()),
        StandIn::Leaves(leaves) => (None, leaves),
    };
    v1::AuditRetired {
        first,
        last,
        before: links.map_or_else(Vec::new, |(before, _)| before.0.into()),
        after: links.map_or_else(Vec::new, |(_, after)| after.0.into()),
        sequences: leaves.iter().map(|(sequence, _)| *sequence).collect(),
        hashes: leaves.into_iter().map(|(_, leaf)| leaf.0.into()).collect(),
        until_us: until.as_micros(),
        time_us: time.as_micros(),
        key,
        signature,
    }
}
