//! Sends the spool to the control plane, in batches, and forgets what is acknowledged. One task for the edge.
//!
//! A connection that breaks is made anew, and everything that was not acknowledged is sent again: the control plane
//! stores a record once, by its edge, epoch and sequence.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use turnpike_proto::audit::v1::Acknowledgement;
use turnpike_runtime::{identity::EdgeSigner, retry::Backoff};

use self::{outbox::Outbox, wire::Batch};
use crate::connect::ControlPlane;

use super::{Audit, open::SpoolReader, tail::Bounds};

mod outbox;
mod wire;

/// What goes into one message.
const BATCH: Bounds = Bounds {
    records: 512,
    bytes: 256 * 1024,
};
/// How long the first record of a batch waits for others: a batch costs as much to compress and to send as hundreds of
/// records do to be in it.
const LINGER: Duration = Duration::from_millis(50);
/// How many batches may be on their way; when they are, the rest waits in the files.
const IN_FLIGHT: usize = 4;
/// How long the last records may take at shutdown. What is left then is sent at the next start.
pub(crate) const FLUSH: Duration = Duration::from_secs(5);

/// What the upload needs.
#[derive(Debug)]
pub struct Upload {
    /// The edge's name.
    pub edge: Arc<str>,
    /// To the control plane; connects when first used.
    pub channel: ControlPlane,
    /// What is written to.
    pub audit: Arc<Audit>,
    /// What is read from.
    pub reader: SpoolReader,
    /// Signs what is sent.
    pub signer: Arc<EdgeSigner>,
}

impl Upload {
    /// [`Self::run`] as a task.
    pub(crate) async fn run_until(self, writers_done: watch::Receiver<bool>) {
        self.run(writers_done).await;
    }

    /// Uploads until `writers_done` says that nothing will be written any more, and then what is left, within a bound.
    ///
    /// Answers how many records are left for the next start.
    pub async fn run(self, mut writers_done: watch::Receiver<bool>) -> u64 {
        let mut outbox = Outbox::new(self.edge, self.audit, self.reader, self.signer);
        tokio::select! {
            () = keep_uploading(&self.channel, &mut outbox) => {}
            _ = writers_done.wait_for(|done| *done) => {}
        }
        outbox.finish();
        let flushed = timeout(FLUSH, keep_uploading(&self.channel, &mut outbox)).await;
        if flushed.is_err() {
            tracing::warn!(
                left = outbox.waiting(),
                "the control plane has not taken every audit record in time"
            );
        }
        outbox.waiting()
    }
}

/// Ends only when the outbox is finished and empty.
async fn keep_uploading(channel: &ControlPlane, outbox: &mut Outbox) {
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        outbox.rewind();
        if outbox.is_done() {
            return;
        }
        let before = outbox.acknowledged();
        let Err(error) = session(channel, outbox).await else {
            return;
        };
        if outbox.acknowledged() > before {
            backoff.reset();
            told = false;
        }
        // Once for each interruption, not once for each attempt.
        if !told {
            tracing::warn!(%error, waiting = outbox.waiting(), "audit upload interrupted, trying again");
            told = true;
        }
        backoff.wait().await;
    }
}

/// One connection. `Ok`: everything is stored and nothing will come.
async fn session(channel: &ControlPlane, outbox: &mut Outbox) -> Result<(), Status> {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    // Filled before the call, because a server may answer it only when the first message has come.
    outbox.new_records().await;
    fill(outbox, &sender).await?;
    let mut answers = wire::upload(channel, ReceiverStream::new(receiver)).await?;
    exchange(outbox, &sender, &mut answers).await
}

async fn exchange(
    outbox: &mut Outbox,
    sender: &mpsc::Sender<Batch>,
    answers: &mut Streaming<Acknowledgement>,
) -> Result<(), Status> {
    let mut linger: Option<Instant> = None;
    while !outbox.is_done() {
        let may_send = outbox.in_flight() < IN_FLIGHT;
        tokio::select! {
            answer = answers.message() => {
                let Some(Acknowledgement { epoch, stored }) = answer? else {
                    return Err(Status::unavailable("the control plane closed the upload"));
                };
                outbox.acknowledge(epoch, stored);
            }
            () = outbox.new_records(), if may_send && linger.is_none() => {
                let full = outbox.unread() >= BATCH.records as u64;
                let wait = if full { Duration::ZERO } else { LINGER };
                linger = Some(Instant::now() + wait);
            }
            () = sleep_until(linger.unwrap_or_else(Instant::now)), if may_send && linger.is_some() => {
                linger = None;
                fill(outbox, sender).await?;
            }
        }
    }
    Ok(())
}

/// Sends what there is, up to the bound of what may be on its way.
async fn fill(outbox: &mut Outbox, sender: &mpsc::Sender<Batch>) -> Result<(), Status> {
    while outbox.in_flight() < IN_FLIGHT {
        let Some(batch) = outbox.read(BATCH).map_err(damaged)? else {
            return Ok(());
        };
        let gone = |_| Status::unavailable("the control plane closed the upload");
        sender.send(batch).await.map_err(gone)?;
    }
    Ok(())
}

fn damaged(error: std::io::Error) -> Status {
    Status::data_loss(error.to_string())
}

#[cfg(test)]
mod tests;
