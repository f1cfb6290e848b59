//! Hours of the week by the clocks of a place: as they are written, and what that means.

use super::super::random::Random;

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// From some days' `from` until `until`, of the next day where that is not later.
#[derive(Debug, Clone)]
pub(crate) struct Hours {
    pub(crate) days: [bool; 7],
    /// Minutes of the day, as the next.
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) zone: String,
    /// `mon-fri 08:00-18:00 Europe/Berlin`
    pub(crate) text: String,
}

impl Hours {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let (mut days, mut words) = ([false; 7], Vec::new());
        for _ in 0..=random.below(2) {
            let (first, length) = (random.below(7), random.below(6));
            (first..=first + length).for_each(|day| days[day % 7] = true);
            words.push(match length {
                0 => DAYS[first].to_owned(),
                _ => format!("{}-{}", DAYS[first], DAYS[(first + length) % 7]),
            });
        }
        let (from, until) = loop {
            let (from, until) = (30 * random.below(48), 30 * random.below(49));
            if from != until {
                break (i64::try_from(from).unwrap(), i64::try_from(until).unwrap());
            }
        };
        let zone = random.text(&ZONES);
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let text = format!("{} {}-{} {zone}", words.join(","), clock(from), clock(until));
        Self {
            days,
            from,
            until,
            zone,
            text,
        }
    }
}
