//! Waking up when something may have been committed. Signals only shorten a poll; the log guarantees.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::watch;

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

    /// Returns when something may have been committed since the last return; the first time as soon as it can hear.
    /// May be dropped and called again at any time.
    pub async fn changed(&mut self) {
        match &mut self.0 {
            Source::Postgres { pool, listener } => loop {
                match heard(pool, listener).await {
                    Ok(()) => return,
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
            }
        }
    }
}

async fn heard(pool: &PgPool, slot: &mut Option<PgListener>) -> Result<(), sqlx::Error> {
    if let Some(listener) = slot {
        if listener.try_recv().await?.is_some() {
            while listener.next_buffered().is_some() {}
        } else {
            // The connection is lost. What comes before the next one listens is not heard, so both wake the holder.
            *slot = None;
        }
        return Ok(());
    }
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen("turnpike_events").await?;
    *slot = Some(listener);
    Ok(())
}
