//! How often issuers are asked, and how long a token waits for it.

use std::time::Duration;

/// How often keys are fetched. Of a struct, so that tests need not wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Where the answer does not say how long it may be kept.
    pub(super) refresh: Duration,
    /// At most this often, whatever the answer says.
    pub(super) shortest: Duration,
    /// At least this often, whatever the answer says.
    pub(super) longest: Duration,
    /// After a failure; it doubles with each.
    pub(super) retry: Duration,
    /// The time between two fetches that tokens cause.
    pub(super) debounce: Duration,
    /// How long a token waits for keys.
    pub(super) patience: Duration,
    /// How long a token waits until its issuer was asked about it and has answered.
    pub(super) answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(300),
            shortest: Duration::from_secs(60),
            longest: Duration::from_secs(900),
            retry: Duration::from_secs(10),
            debounce: Duration::from_secs(10),
            patience: Duration::from_secs(2),
            answer: Duration::from_secs(5),
        }
    }
}
