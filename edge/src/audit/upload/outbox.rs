//! What is still to be sent, over all epochs, and what is on its way. Knows no connection.

use std::{collections::VecDeque, io, sync::Arc};

use turnpike_access::audit::chain::Checkpoint;
use turnpike_proto::audit::v1::Seal;
use turnpike_runtime::{clock, identity::EdgeSigner};

use super::wire::Batch;
use crate::audit::{
    Audit,
    open::SpoolReader,
    tail::{Bounds, Run, Tail},
};

/// Reads the epochs in turn, so that a long backlog of one does not hold up the others.
#[derive(Debug)]
pub(super) struct Outbox {
    edge: Arc<str>,
    audit: Arc<Audit>,
    tails: Vec<Tail>,
    turn: usize,
    /// The last sequence of each batch on its way, by epoch, in the order of sending.
    in_flight: VecDeque<(u64, u64)>,
    /// Records acknowledged since the start.
    acknowledged: u64,
    finished: bool,
    /// Signs what is sent.
    signer: Arc<EdgeSigner>,
}

impl Outbox {
    pub(super) fn new(
        edge: Arc<str>,
        audit: Arc<Audit>,
        reader: SpoolReader,
        signer: Arc<EdgeSigner>,
    ) -> Self {
        Self {
            edge,
            audit,
            tails: reader.tails,
            turn: 0,
            in_flight: VecDeque::new(),
            acknowledged: 0,
            finished: false,
            signer,
        }
    }

    /// Batches sent and not yet acknowledged.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Records acknowledged since the start.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Records that the control plane has not acknowledged.
    pub(super) fn waiting(&self) -> u64 {
        self.tails.iter().map(Tail::waiting).sum()
    }

    /// Says that nothing is written any more: what is here is the rest.
    pub(super) fn finish(&mut self) {
        self.audit.tell_all_losses();
        self.finished = true;
        self.tails.iter_mut().for_each(Tail::finish);
        self.sweep();
    }

    /// Whether everything is stored and nothing will come.
    pub(super) fn is_done(&self) -> bool {
        self.finished && self.tails.is_empty()
    }

    /// Forgets what is on its way, so that it is read again.
    pub(super) fn rewind(&mut self) {
        self.in_flight.clear();
        self.tails.iter_mut().for_each(Tail::rewind);
    }

    /// How many records can be read.
    pub(super) fn unread(&self) -> u64 {
        self.tails.iter().map(Tail::unread).sum()
    }

    /// Returns as soon as there is something to read.
    pub(super) async fn new_records(&self) {
        while !self.tails.iter().any(Tail::has_more) {
            self.audit.written().await;
        }
    }

    /// The next batch, `None` where there is nothing to read now. It counts as on its way.
    pub(super) fn read(&mut self, bounds: Bounds) -> io::Result<Option<Batch>> {
        for _ in 0..self.tails.len() {
            self.turn = (self.turn + 1) % self.tails.len();
            let Some(tail) = self.tails.get_mut(self.turn) else {
                continue;
            };
            if !tail.has_more() {
                continue;
            }
            let up_to = tail.written();
            self.audit.settle()?;
            // From the page cache in the common case, and never more than one batch at a time.
            if let Some(run) = tail.read(bounds, up_to)? {
                self.in_flight.push_back((run.epoch, run.last()));
                let seal = self.seal(&run);
                let Run {
                    epoch,
                    first,
                    records,
                    links: _,
                } = run;
                return Ok(Some(Batch {
                    edge: self.edge.as_ref().to_owned(),
                    epoch,
                    first,
                    records,
                    seal,
                }));
            }
        }
        Ok(None)
    }

    /// What the control plane and whoever audits it can hold the records to.
    fn seal(&self, run: &Run) -> Option<Seal> {
        let (before, after) = run.links?;
        let said = Checkpoint {
            edge: self.edge.as_ref().to_owned(),
            epoch: run.epoch,
            first: run.first,
            last: run.last(),
            before,
            after,
            time: clock::now(),
            key: self.signer.public_key().to_owned(),
            signature: Vec::new(),
        };
        Some(Seal {
            before: before.0.into(),
            time_us: said.time.as_micros(),
            signature: self.signer.sign_statement(&said.statement()),
            key: said.key,
        })
    }

    /// Every record of the epoch up to this sequence is stored.
    pub(super) fn acknowledge(&mut self, epoch: u64, stored: u64) {
        self.in_flight
            .retain(|(sent, last)| *sent != epoch || *last > stored);
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.epoch() == epoch) {
            let before = tail.acknowledged();
            let freed = tail.acknowledge(stored, || self.audit.may_delete());
            let released = tail.acknowledged().saturating_sub(before);
            self.acknowledged += released;
            self.audit.released(released, freed);
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        for tail in &mut self.tails {
            if tail.is_done() {
                self.audit
                    .released(0, tail.acknowledge(0, || self.audit.may_delete()));
            }
        }
        self.tails.retain(|tail| !tail.is_done());
    }
}
