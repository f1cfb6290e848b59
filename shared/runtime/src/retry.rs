//! How long to wait before trying again.

use std::time::Duration;

use crate::random;

/// Delays with decorrelated jitter: each is drawn between the base and three times the one before, up to a cap,
/// so that many clients of one failed server don't come back in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    last: Duration,
}

impl Default for Backoff {
    /// From 100 ms up to 10 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }
}

impl Backoff {
    /// Delays from `base` up to `cap`; a cap below the base counts as the base.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap: cap.max(base),
            last: base,
        }
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let widest = self.last.saturating_mul(3).clamp(self.base, self.cap);
        self.last = between(self.base, widest);
        self.last
    }

    /// Waits for the next delay.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }

    /// After a success: the next delay is short again.
    pub fn reset(&mut self) {
        self.last = self.base;
    }
}

fn between(low: Duration, high: Duration) -> Duration {
    let fraction = f64::from(u32::from_le_bytes(random::bytes())) / f64::from(u32::MAX);
    low + high.saturating_sub(low).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_within_their_bounds_and_grow_no_faster_than_threefold() {
        let (base, cap) = (Duration::from_millis(10), Duration::from_millis(500));
        let mut backoff = Backoff::new(base, cap);
        let mut last = base;
        for _ in 0..10_000 {
            let delay = backoff.next_delay();
            assert!(
                delay >= base && delay <= cap && delay <= last * 3,
                "{last:?} then {delay:?}"
            );
            last = delay;
        }
    }

    #[test]
    fn after_a_reset_the_delay_is_short_again() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(60));
        for _ in 0..100 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(30));
    }

    #[test]
    fn a_cap_below_the_base_counts_as_the_base() {
        let base = Duration::from_secs(1);
        assert_eq!(Backoff::new(base, Duration::ZERO).next_delay(), base);
    }
}
