//! Waking up when something may have been committed. Signals only shorten a poll; the log guarantees.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification},
};
use tokio::sync::watch;
use turnpike_access::log::Position;

/// How long to wait before listening again after the database was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// Wakes its holder after commits, its own process's and, on Postgres, everybody's.
///
/// It may wake for nothing, wake once for many commits, and miss some while the database is out of reach: so wait
/// for it and for a timer at once. On Postgres each holds one connection.
pub struct Watch(Source);

enum Source {
    Postgres {
        pool: PgPool,
        listener: Option<PgListener>,
    },
    Process(watch::Receiver<()>),
}

impl Watch {
    pub(super) fn postgres(pool: PgPool) -> Self {
        Self(Source::Postgres { pool, listener: None })
    }

    pub(super) fn process(mut receiver: watch::Receiver<()>) -> Self {
        receiver.mark_changed();
        Self(Source::Process(receiver))
    }

    /// Returns when something may have been committed since the last return; the first time as soon as it can hear. Where
    /// that is known, it says how far the log went when that was told: whoever is there already need not look.
    /// May be dropped and called again at any time.
    pub async fn changed(&mut self) -> Option<Position> {
        match &mut self.0 {
            Source::Postgres { pool, listener } => loop {
                match heard(pool, listener).await {
                    Ok(position) => return position,
                    Err(error) => {
                        // The listener may be stuck on a dead connection: begin anew.
                        *listener = None;
                        tracing::debug!(%error, "not listening for commits; polling goes on");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            },
            // The store is gone, and nothing will be committed through it.
            Source::Process(receiver) => {
                if receiver.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                None
            }
        }
    }
}

async fn heard(pool: &PgPool, slot: &mut Option<PgListener>) -> Result<Option<Position>, sqlx::Error> {
    if let Some(listener) = slot {
        let Some(told) = listener.try_recv().await? else {
            // The connection is lost. What comes before the next one listens is not heard, so both wake the holder.
            *slot = None;
            return Ok(None);
        };
        let mut newest = position(&told);
        while let Some(told) = listener.next_buffered() {
            // One that says nothing may mean anything.
            newest = position(&told).and_then(|position| newest.max(Some(position)));
        }
        return Ok(newest);
    }
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen("turnpike_events").await?;
    *slot = Some(listener);
    Ok(None)
}

/// How far the log goes, as the server tells with a commit.
fn position(told: &PgNotification) -> Option<Position> {
    told.payload().parse().ok().map(Position::new)
}
