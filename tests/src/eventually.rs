//! Waiting for something to become true, with an end.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// Long enough for anything that works, on a machine that is also building.
pub const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(40);

/// Asks again and again until the answer is `Ok`, and returns what is in it; after [`PATIENCE`], fails with the last
/// answer.
pub async fn eventually<T, E: Debug>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(seen) if Instant::now() > end => {
                panic!("{what}: not within {PATIENCE:?}; last seen: {seen:?}")
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
