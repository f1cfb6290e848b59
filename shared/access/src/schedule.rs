//! Weekly schedules: the hours of the week, by the clocks of a place, in which a grant counts.
//!
//! The time-zone database is the one that is compiled in, never the host's, so that every edge and control plane of
//! one build agrees. A schedule is read, and its zone looked up, once; a request costs two additions and a search
//! among the zone's changes of offset.

use std::{fmt, str::FromStr, sync::Arc, sync::LazyLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::id::{InvalidName, Timestamp};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_SECONDS: i64 = 24 * 60 * 60;
const RULE: &str = "write DAYS FROM-UNTIL ZONE, such as 'mon-fri 08:00-18:00 Europe/Berlin'; a span may pass midnight, \
                    a whole day is 00:00-24:00, and zones have the names of the IANA database";

/// Some hours of some days, by the clocks of a place: `mon-fri 08:00-18:00 Europe/Berlin`.
///
/// What the clocks show is what counts: the hour that is skipped in spring is in no span, and the one that comes
/// twice in autumn is in it twice. A span that passes midnight belongs to the day on which it begins.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule(Arc<Compiled>);

struct Compiled {
    days: [bool; 7],
    /// Seconds of the day.
    from: i64,
    /// Seconds of the day, of the next one where it is not after `from`.
    until: i64,
    zone: TimeZone,
}

impl Schedule {
    /// Whether the moment is in it.
    pub fn includes(&self, moment: Timestamp) -> bool {
        let Compiled {
            days,
            from,
            until,
            zone,
        } = &*self.0;
        let (least, greatest) = (jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let second = moment.as_micros().div_euclid(1_000_000).clamp(least, greatest);
        let Ok(instant) = jiff::Timestamp::from_second(second) else {
            return false;
        };
        let local = second + i64::from(zone.to_offset(instant).seconds());
        let time = local.rem_euclid(DAY_SECONDS);
        // The day that the epoch began with was a Thursday.
        let weekday = local.div_euclid(DAY_SECONDS) + 3;
        let on = |day: i64| {
            let index = usize::try_from(day.rem_euclid(7)).ok();
            index.and_then(|index| days.get(index)).is_some_and(|on| *on)
        };
        if from < until {
            on(weekday) && (*from..*until).contains(&time)
        } else {
            (on(weekday) && time >= *from) || (on(weekday - 1) && time < *until)
        }
    }

    /// Whether every moment of the other is surely one of this one too. Where it can't be told: no.
    pub fn contains(&self, other: &Self) -> bool {
        let (own, other) = (&*self.0, &*other.0);
        let days = own
            .days
            .iter()
            .zip(&other.days)
            .all(|(own, other)| *own || !*other);
        let end = |one: &Compiled| one.until + if one.until <= one.from { DAY_SECONDS } else { 0 };
        days && own.zone.iana_name() == other.zone.iana_name()
            && own.from <= other.from
            && end(other) <= end(own)
    }
}

impl FromStr for Schedule {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        compile(text)
            .map(|compiled| Self(Arc::new(compiled)))
            .ok_or_else(|| InvalidName::new(text, "schedule", RULE))
    }
}

fn compile(text: &str) -> Option<Compiled> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    let mut words = text.split_ascii_whitespace();
    let (days, times, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let (from, until) = times.split_once('-')?;
    let (from, until) = (time(from)?, time(until)?);
    let zone = ZONES.get(zone).ok().filter(|zone| !zone.is_unknown())?;
    zone.iana_name()?;
    (from != until && from < DAY_SECONDS).then_some(Compiled {
        days: read_days(days)?,
        from,
        until,
        zone,
    })
}

fn read_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7 + 1;
        for day in (0..7).cycle().skip(first).take(count) {
            *days.get_mut(day)? = true;
        }
    }
    Some(days)
}

/// `08:00` in seconds; `24:00` is the day's end.
fn time(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse::<i64>().ok()).flatten()
    };
    let minute = number(hours)? * 60 + number(minutes).filter(|minutes| *minutes < 60)?;
    Some(minute * 60).filter(|second| *second <= DAY_SECONDS)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compiled {
            days,
            from,
            until,
            zone,
        } = &*self.0;
        let named: Vec<(usize, &str)> = DAYS
            .into_iter()
            .enumerate()
            .zip(days)
            .filter_map(|(day, on)| on.then_some(day))
            .collect();
        let runs = named.chunk_by(|(one, _), (next, _)| one + 1 == *next);
        let mut separator = "";
        for run in runs {
            match run {
                [] => {}
                [(_, only)] => write!(f, "{separator}{only}")?,
                [(_, first), .., (_, last)] => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        let zone = zone.iana_name().unwrap_or_default();
        let clock = |second: &i64| (second / 3600, second / 60 % 60);
        let ((from, from_minute), (until, until_minute)) = (clock(from), clock(until));
        write!(
            f,
            " {from:02}:{from_minute:02}-{until:02}:{until_minute:02} {zone}"
        )
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&*self.0, &*other.0);
        (own.days, own.from, own.until) == (other.days, other.from, other.until)
            && own.zone.iana_name() == other.zone.iana_name()
    }
}

impl Eq for Schedule {}

impl TryFrom<String> for Schedule {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests;
