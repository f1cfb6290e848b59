//! The stream that an edge holds open: it reports, and is told where the log ends.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use turnpike_access::log::Head;
use turnpike_proto::sync::v1::{Notice, Report};

use super::SyncService;
use crate::{
    edges::Edges,
    projection::Projection,
    rpc::{
        enrolled::Enrolled,
        wire::{self, Proven},
    },
    signing::Signing,
};

/// A notice comes at least this often.
const EVERY: Duration = Duration::from_secs(1);
/// Changes of the head within so long share one notice …
const COALESCE: Duration = Duration::from_millis(20);
/// … and within so long for each edge that is attached here, so that very many of them are not told of every change at once: what changes
/// is on its way over the bus, and a notice only tells whom it did not reach.
const FOR_EACH: Duration = Duration::from_micros(500);
/// Reports that wait for the store to be asked. Beyond it new ones are not noted: those that are will be answered.
const HEARD: usize = 64;

/// One attached edge. An edge that goes without a goodbye is not departed: it becomes silent by not being heard.
pub(super) struct Attached {
    reports: Streaming<Report>,
    /// By its certificate, where it has one.
    enrolled: Option<Enrolled>,
    heads: watch::Receiver<Head>,
    projection: Arc<Projection>,
    heard: Heard,
    edges: Edges,
    signing: Signing,
    /// One for each edge that is attached.
    attached: Arc<()>,
    proven: Proven,
    stop: CancellationToken,
    next: Next,
}

/// Which reports have come, and when.
#[derive(Debug, Default)]
struct Heard {
    waiting: VecDeque<(u64, Instant)>,
    /// The newest that had come when the store was last asked.
    settled: u64,
}

impl Heard {
    fn hear(&mut self, number: u64, now: Instant) {
        if self.waiting.len() < HEARD {
            self.waiting.push_back((number, now));
        }
    }

    /// The newest report that had come by then.
    fn by(&mut self, asked: Option<Instant>) -> u64 {
        while let Some((number, _)) = self.waiting.pop_front_if(|(_, came)| Some(*came) <= asked) {
            self.settled = number;
        }
        self.settled
    }
}

/// When the next notice is due.
struct Next {
    /// Even if nothing changes.
    latest: Instant,
    /// Even if something changes.
    earliest: Instant,
}

impl Attached {
    pub(super) fn new(service: &SyncService, reports: Streaming<Report>, enrolled: Option<Enrolled>) -> Self {
        let mut heads = service.projection.heads();
        heads.mark_changed();
        let now = Instant::now();
        Self {
            reports,
            enrolled,
            heads,
            projection: service.projection.clone(),
            heard: Heard::default(),
            edges: service.edges.clone(),
            signing: service.signing.clone(),
            attached: service.attached.clone(),
            proven: Proven::default(),
            stop: service.stop.clone(),
            next: Next {
                latest: now,
                earliest: now,
            },
        }
    }

    /// The notices. Reports are taken in while the next notice is awaited, so that neither waits for the other.
    pub(super) fn notices(self) -> impl Stream<Item = Result<Notice, Status>> {
        stream::try_unfold(self, |mut attached| async move {
            Ok(attached.next_notice().await?.map(|notice| (notice, attached)))
        })
    }

    async fn next_notice(&mut self) -> Result<Option<Notice>, Status> {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                report = self.reports.message() => match report? {
                    Some(report) => {
                        if let Some(enrolled) = &self.enrolled {
                            enrolled.check(&report.edge, Some(&report.region))?;
                        }
                        self.heard.hear(report.number, Instant::now());
                        self.edges.report(self.proven.report(report)?);
                    }
                    None => return Ok(None),
                },
                () = changed(&mut self.heads, self.next.earliest) => return Ok(Some(self.notice())),
                () = sleep_until(self.next.latest) => return Ok(Some(self.notice())),
            }
        }
    }

    fn notice(&mut self) -> Notice {
        let now = Instant::now();
        self.next = Next {
            latest: now + EVERY,
            earliest: now + pace(Arc::strong_count(&self.attached)),
        };
        // In this order: the head may be newer than what is said of it, never older.
        let heard = self.heard.by(self.projection.complete_as_of());
        let head = *self.heads.borrow_and_update();
        Notice {
            head: Some(wire::head_now(head)),
            keys: self.signing.verifying_keys(),
            heard,
        }
    }
}

/// How long a change may wait to be told of, with so many edges attached.
fn pace(attached: usize) -> Duration {
    let all = FOR_EACH.saturating_mul(u32::try_from(attached).unwrap_or(u32::MAX));
    all.clamp(COALESCE, EVERY)
}

/// Ends when the head has moved, and no earlier than `earliest`. Where no more news can come it never ends.
async fn changed(heads: &mut watch::Receiver<Head>, earliest: Instant) {
    sleep_until(earliest).await;
    if heads.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_answered_once_the_store_was_asked_after_it() {
        let mut heard = Heard::default();
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        assert_eq!(heard.by(None), 0);
        heard.hear(1, at(10));
        heard.hear(2, at(20));
        assert_eq!(heard.by(None), 0, "the store has not been asked at all");
        assert_eq!(heard.by(Some(at(9))), 0);
        assert_eq!(heard.by(Some(at(15))), 1);
        assert_eq!(heard.by(Some(at(15))), 1, "said again");
        assert_eq!(heard.by(Some(at(20))), 2);
    }
}
