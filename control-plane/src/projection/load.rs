//! Start-up: the last saved fold, and then the events after it, so that a long log need not be read whole.

use turnpike_access::{codec::Decoder, fold::FoldError, log::Position, snapshot::Snapshot};

use crate::store::{EventStore, StoreError};

/// Events read at a time.
const READ_LIMIT: u32 = 5_000;
/// Progress is logged every so many events.
const PROGRESS_EVERY: u64 = 50_000;

/// Why the state could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log holds an event that this build cannot take in.
    #[error("the event log cannot be read to its end: {0}")]
    Fold(#[from] FoldError),
}

/// The state at the end of the log.
pub(crate) async fn load(store: &dyn EventStore) -> Result<Snapshot, LoadError> {
    let mut state = saved(store, Position::new(u64::MAX)).await?;
    let head = store.head().await?.position.get();
    let start = state.position().get();
    let mut told = start;
    loop {
        let events = store.read(state.position(), READ_LIMIT).await?;
        events.iter().try_for_each(|event| state.fold(event))?;
        let position = state.position().get();
        if position >= told + PROGRESS_EVERY {
            told = position;
            tracing::info!(position, head, "reading the event log");
        }
        if events.is_empty() {
            tracing::info!(
                position,
                from = start,
                credentials = state.credential_count(),
                "the access state is loaded"
            );
            return Ok(state);
        }
    }
}

/// The last saved fold that is not after a position. It is only a shortcut: one that cannot be used is passed over, and the whole log is read.
pub(crate) async fn saved(store: &dyn EventStore, until: Position) -> Result<Snapshot, StoreError> {
    let Some((_, text)) = store.load_snapshot(until).await? else {
        return Ok(Snapshot::default());
    };
    let decode = move || {
        let mut decoder = Decoder::default();
        decoder.feed(&text)?;
        decoder.finish()
    };
    match tokio::task::spawn_blocking(decode).await {
        Ok(Ok(snapshot)) => return Ok(snapshot),
        Ok(Err(error)) => tracing::warn!(%error, "the saved fold cannot be used; reading the whole log"),
        Err(error) => tracing::warn!(%error, "decoding the saved fold broke off; reading the whole log"),
    }
    Ok(Snapshot::default())
}
