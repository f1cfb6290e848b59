//! Times as people write and read them: RFC 3339, or so long from now or ago.

use std::time::Duration;

use jiff::{SpanRelativeTo, Timestamp, Unit};
/// The same as [`text`] to the millisecond, where order within a second matters.
pub use turnpike_proto::admin::time as precise;

/// A moment that is named outright, or by its distance from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Microseconds since the epoch.
    At(i64),
    /// So far from now; which way, the flag says.
    Distance(Duration),
}

impl Moment {
    /// Reads `2026-12-31T00:00:00Z`, or a duration such as `30d`, `12h`, `1h30m`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::At(time.as_microsecond()));
        }
        duration(text).map(Self::Distance).map_err(|_| {
            "write a time such as 2026-12-31T00:00:00Z, or a duration such as 30d, 12h or 1h30m".to_owned()
        })
    }

    /// The moment, a distance being one into the future. Microseconds since the epoch.
    pub fn ahead(self, now: i64) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Distance(distance) => now.saturating_add(micros(distance)),
        }
    }

    /// The moment, a distance being one into the past. Microseconds since the epoch.
    pub fn ago(self, now: i64) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Distance(distance) => now.saturating_sub(micros(distance)),
        }
    }
}

/// Reads `30s`, `12h`, `1h30m`, `30d`, `2w`; a day has 24 hours. Nothing negative.
pub fn duration(text: &str) -> Result<Duration, String> {
    const RULE: &str = "write a duration such as 30s, 12h, 1h30m or 30d";
    let span: jiff::Span = text.parse().map_err(|_| RULE.to_owned())?;
    let signed = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| RULE.to_owned())?;
    Duration::try_from(signed).map_err(|_| RULE.to_owned())
}

/// A duration as the flags take it: `90d`, `12h`, `45s`.
pub fn written(seconds: u32) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let fits = units
        .into_iter()
        .find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    let (length, unit) = fits.unwrap_or((1, "s"));
    format!("{}{unit}", seconds / length)
}

/// The present moment, in microseconds since the epoch.
pub fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// Microseconds since the epoch as RFC 3339 in UTC, whole seconds; `None` for 0, which is "not known" on the wire.
pub fn text(micros: i64) -> Option<String> {
    if micros == 0 {
        return None;
    }
    let time = Timestamp::from_microsecond(micros).ok()?;
    let how = jiff::TimestampRound::new()
        .smallest(Unit::Second)
        .mode(jiff::RoundMode::Trunc);
    Some(format!("{:.0}", time.round(how).ok()?))
}

fn micros(distance: Duration) -> i64 {
    i64::try_from(distance.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_hours_days_and_weeks_of_fixed_length() {
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(12 * 3_600)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("2w"), Ok(Duration::from_secs(14 * 86_400)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "soon", "30", "-1h", "1y", "1mo"] {
            assert!(duration(text).is_err_and(|why| why.contains("30d")), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_a_distance_from_now() {
        assert_eq!(Moment::parse("1970-01-01T00:00:01Z"), Ok(Moment::At(1_000_000)));
        assert_eq!(
            Moment::parse("1970-01-01T01:00:01+01:00"),
            Ok(Moment::At(1_000_000))
        );
        let hour = Moment::parse("1h").unwrap();
        assert_eq!((hour.ahead(0), hour.ago(0)), (3_600_000_000, -3_600_000_000));
        assert!(Moment::parse("tomorrow").is_err());
    }

    #[test]
    fn times_are_written_in_utc_and_zero_is_not_a_time() {
        assert_eq!(
            text(1_700_000_000_123_456).as_deref(),
            Some("2023-11-14T22:13:20Z")
        );
        assert_eq!(
            precise(1_700_000_000_123_456).as_deref(),
            Some("2023-11-14T22:13:20.123Z")
        );
        assert_eq!(precise(1_000_000).as_deref(), Some("1970-01-01T00:00:01.000Z"));
        assert_eq!(text(0), None);
    }
}
