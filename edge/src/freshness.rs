//! How far behind this edge can be: since when it is not certain that everything committed is in force here.
//!
//! Only an answer of the control plane's makes it certain, and only up to the moment when the edge asked: whatever lay
//! on the way for long, or was said again by somebody else, proves nothing. No two machines' clocks are compared.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use turnpike_access::id::Timestamp;
use turnpike_runtime::clock;

/// Nothing is certain yet.
const NEVER: i64 = i64::MIN;

/// A moment by both clocks of this machine. The monotonic one does not count while the machine is suspended, and the
/// wall clock may be set back; whichever has run further is believed.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    at: Instant,
    wall: Timestamp,
}

impl Moment {
    /// The present.
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: clock::now(),
        }
    }
}

#[cfg(test)]
impl Moment {
    /// As a simulation's clocks say.
    pub(crate) fn simulated(at: Instant, wall: Timestamp) -> Self {
        Self { at, wall }
    }
}

/// The last moment for which it is certain that everything committed by then is in force. One writes, requests read.
#[derive(Debug)]
pub struct Freshness {
    begun: Moment,
    /// Microseconds from `begun`, by each clock.
    monotonic: AtomicI64,
    wall: AtomicI64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self::beginning(Moment::now())
    }
}

impl Freshness {
    /// Of a process that begins at this moment.
    pub(crate) fn beginning(begun: Moment) -> Self {
        Self {
            begun,
            monotonic: AtomicI64::new(NEVER),
            wall: AtomicI64::new(NEVER),
        }
    }

    /// Everything committed by this moment is in force.
    pub(crate) fn confirm(&self, moment: Moment) {
        let monotonic = micros(moment.at.saturating_duration_since(self.begun.at));
        // Whoever reads between the two takes the older one.
        self.monotonic.fetch_max(monotonic, Ordering::Relaxed);
        let wall = moment
            .wall
            .as_micros()
            .saturating_sub(self.begun.wall.as_micros());
        self.wall.store(wall, Ordering::Relaxed);
    }

    /// Everything committed by this time, by this machine's clock, was in force when an earlier run of the edge ended, and is
    /// in force again.
    pub(crate) fn restore(&self, certain: Timestamp) {
        let begun = self.begun.wall.as_micros();
        let before = begun.saturating_sub(certain.as_micros());
        // A clock that was set back since then tells nothing.
        if before >= 0 {
            self.monotonic.fetch_max(-before, Ordering::Relaxed);
            self.wall.store(-before, Ordering::Relaxed);
        }
    }

    /// The last moment for which it is certain, by this machine's clock.
    pub(crate) fn certain(&self) -> Option<Timestamp> {
        let wall = self.wall.load(Ordering::Relaxed);
        let certain = self.begun.wall.as_micros().saturating_add(wall);
        (wall != NEVER).then_some(Timestamp::from_micros(certain))
    }

    /// Since when it is not certain any more, if it ever was.
    pub fn age(&self) -> Option<Duration> {
        self.age_at(Moment::now())
    }

    pub(crate) fn age_at(&self, now: Moment) -> Option<Duration> {
        let (monotonic, wall) = (
            self.monotonic.load(Ordering::Relaxed),
            self.wall.load(Ordering::Relaxed),
        );
        if monotonic == NEVER || wall == NEVER {
            return None;
        }
        let run = micros(now.at.saturating_duration_since(self.begun.at)).saturating_sub(monotonic);
        let gone = now.wall.as_micros().saturating_sub(self.begun.wall.as_micros());
        let longest = run.max(gone.saturating_sub(wall)).max(0);
        Some(Duration::from_micros(longest.unsigned_abs()))
    }

    /// Whether the edge is surely no further behind than so many seconds.
    pub fn within(&self, seconds: u32) -> bool {
        self.age()
            .is_some_and(|age| age <= Duration::from_secs(seconds.into()))
    }

    /// Since when this process runs.
    pub(crate) fn since_start(&self) -> Duration {
        self.begun.at.elapsed()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(from: Moment, monotonic: u64, wall: i64) -> Moment {
        Moment {
            at: from.at + Duration::from_secs(monotonic),
            wall: from.wall.plus_seconds(wall),
        }
    }

    #[test]
    fn nothing_is_certain_before_the_first_confirmation() {
        let freshness = Freshness::default();
        assert_eq!(freshness.age(), None);
        assert!(!freshness.within(u32::MAX));
    }

    #[test]
    fn the_clock_that_has_run_further_is_believed() {
        let freshness = Freshness::default();
        let confirmed = later(freshness.begun, 10, 10);
        freshness.confirm(confirmed);
        for (monotonic, wall, seconds) in [(3, 3, 3), (3, 900, 900), (7, -3600, 7), (0, 0, 0)] {
            let age = freshness.age_at(later(confirmed, monotonic, wall));
            assert_eq!(age, Some(Duration::from_secs(seconds)), "{monotonic} {wall}");
        }
    }

    #[test]
    fn what_an_earlier_run_was_certain_of_counts_from_then_and_a_clock_set_back_counts_nothing() {
        let freshness = Freshness::default();
        let before = freshness.begun.wall.plus_seconds(-40);
        freshness.restore(before);
        assert_eq!(freshness.certain(), Some(before));
        let age = freshness.age_at(later(freshness.begun, 2, 2));
        assert_eq!(age, Some(Duration::from_secs(42)));
        let set_back = Freshness::default();
        set_back.restore(set_back.begun.wall.plus_seconds(60));
        assert_eq!(set_back.age(), None);
    }

    #[test]
    fn an_answer_to_an_older_question_takes_nothing_back() {
        let freshness = Freshness::default();
        freshness.confirm(later(freshness.begun, 10, 10));
        freshness.confirm(later(freshness.begun, 5, 5));
        let age = freshness.age_at(later(freshness.begun, 10, 5));
        assert_eq!(age, Some(Duration::ZERO));
    }
}
