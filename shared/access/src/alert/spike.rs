//! Whether somebody uses more than ever at that time of the day: an hour against the same hours of the days before.
//!
//! The usual is the most that was used in the same hour, the one before or the one after, of any of the last fourteen days, and
//! at least the median of all hours with use: so the rhythm of the day raises nothing, a single wild day before does not hide
//! the next for ever, and somebody who has just begun is left alone.

/// An hour in seconds.
pub const HOUR: i64 = 3600;
/// How far back is looked, in days.
pub const DAYS: i64 = 14;
/// Somebody whose first use is not so many days ago is new.
const NEW: i64 = 7;

/// What was used in hours before: their beginning in seconds, in order, and how much; hours without use may be absent.
#[derive(Debug, Clone, Copy)]
pub struct Hours<'h>(pub &'h [(i64, u64)]);

impl Hours<'_> {
    /// The usual of an hour that begins at this second. `None`: whoever it is is new.
    pub fn usual(self, hour: i64) -> Option<u64> {
        let oldest = hour - DAYS * 24 * HOUR;
        let before = self
            .0
            .iter()
            .filter(|(at, used)| *at >= oldest && *at < hour && *used > 0);
        let first = before.clone().map(|(at, _)| *at).min()?;
        if hour - first < NEW * 24 * HOUR {
            return None;
        }
        let near = |at: i64| {
            let apart = (hour - at).rem_euclid(24 * HOUR);
            hour - at > HOUR && (apart <= HOUR || apart >= 23 * HOUR)
        };
        let same = before.clone().filter(|(at, _)| near(*at)).map(|(_, used)| *used);
        let mut all: Vec<u64> = before.map(|(_, used)| *used).collect();
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or_default();
        Some(same.max().unwrap_or_default().max(median))
    }

    /// The usual, where what was used in an hour so far is at least `least` and more than so many times the usual.
    pub fn spike(self, hour: i64, used: u64, times: u32, least: u64) -> Option<u64> {
        let usual = self.usual(hour)?;
        (used >= least && used > usual.saturating_mul(times.into())).then_some(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * HOUR;

    /// 100 from eight to six, 5 at night, for so many days.
    fn office(days: i64) -> Vec<(i64, u64)> {
        let used = |hour: i64| if (8..18).contains(&(hour % 24)) { 100 } else { 5 };
        (0..days * 24).map(|hour| (hour * HOUR, used(hour))).collect()
    }

    #[test]
    fn the_rhythm_of_the_day_raises_nothing_and_what_leaves_it_does() {
        let hours = office(14);
        let at = |hour: i64| 14 * DAY + hour * HOUR;
        let spike = |hour, used| Hours(&hours).spike(at(hour), used, 4, 20);
        assert_eq!(
            (spike(12, 100), spike(12, 400), spike(8, 100)),
            (None, None, None)
        );
        assert_eq!(spike(12, 401), Some(100));
        assert_eq!(spike(3, 100), Some(5), "as much at night as by day");
        assert_eq!(spike(3, 19), None, "little is no anomaly");
    }

    #[test]
    fn newcomers_are_left_alone() {
        let hours = office(6);
        assert_eq!(Hours(&hours).spike(6 * DAY + 3 * HOUR, 1_000_000, 4, 20), None);
        assert_eq!(Hours(&[]).spike(0, 1_000_000, 4, 20), None);
    }

    #[test]
    fn an_anomaly_is_forgotten_after_a_fortnight() {
        let mut hours = office(30);
        hours[10 * 24 + 3].1 = 10_000;
        let at = |day: i64| day * DAY + 3 * HOUR;
        let until = |day: i64| {
            hours
                .iter()
                .copied()
                .filter(|(hour, _)| *hour < at(day))
                .collect::<Vec<_>>()
        };
        assert_eq!(Hours(&until(20)).spike(at(20), 100, 4, 20), None);
        assert_eq!(Hours(&until(25)).spike(at(25), 100, 4, 20), Some(5));
    }
}
