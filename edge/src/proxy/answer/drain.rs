//! What happens when a client goes away in the middle of a stream: the provider is listened to for a little longer,
//! so that what it charges for is known, and is then cut off.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;
use turnpike_access::audit::Ending;

use super::{Meter, Relay};

/// How long, and how much, is read for a client that has gone.
const DRAIN_TIME: Duration = Duration::from_secs(30);
const DRAIN_BYTES: usize = 4 << 20;

impl Drop for Relay {
    /// Dropped before its end only when the client has gone.
    fn drop(&mut self) {
        let Some(upstream) = self.upstream.take() else {
            return;
        };
        if self.ticket.finished() {
            return;
        }
        let meter = std::mem::replace(&mut self.meter, Meter::Blind);
        if matches!(meter, Meter::Blind) {
            return;
        }
        let mut rest = Rest { meter, read: 0 };
        let mut ticket = self.ticket.take();
        let shutdown = self.state.tasks.shutdown().clone();
        self.state.tasks.spawn("drain", async move {
            tokio::select! {
                _ = timeout(DRAIN_TIME, rest.read_all(upstream)) => {}
                () = shutdown.cancelled() => {}
            }
            let usage = match &rest.meter {
                Meter::Sse(meter) => meter.reported().usage,
                Meter::Json(endpoint, held) => crate::proxy::meter::read_json(*endpoint, held.bytes()).usage,
                Meter::Blind => Default::default(),
            };
            ticket.note(|record| record.usage = usage);
            // Logged where it fails; there is nobody left to answer.
            drop(ticket.finish(Ending::ClientGone));
        });
    }
}

struct Rest {
    meter: Meter,
    read: usize,
}

impl Rest {
    async fn read_all(&mut self, mut upstream: Incoming) {
        let mut pieces = Vec::new();
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut upstream).poll_frame(cx)).await {
            let Ok(data) = frame.into_data() else { continue };
            self.read += data.len();
            if self.read > DRAIN_BYTES {
                return;
            }
            match &mut self.meter {
                Meter::Sse(meter) => {
                    meter.push(data, &mut pieces);
                    pieces.clear();
                    if meter.terminal() {
                        return;
                    }
                }
                Meter::Json(_, held) => held.push(&data),
                Meter::Blind => return,
            }
        }
    }
}
