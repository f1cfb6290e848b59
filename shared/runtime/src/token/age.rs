//! How old the keys of an issuer may become that are believed while it cannot be reached.

use std::{fmt, str::FromStr, time::Duration};

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const RULE: &str = "write an age from 1m to 365d, such as 12h or 7d";

/// From a minute to a year. A longer outage of an issuer ends its tokens: a key that it took back meanwhile would be
/// believed for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysMaxAge(Duration);

impl KeysMaxAge {
    /// How long it is.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl Default for KeysMaxAge {
    /// A week.
    fn default() -> Self {
        Self(Duration::from_secs(7 * 86_400))
    }
}

impl FromStr for KeysMaxAge {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let unit = |(unit, seconds): (char, u64)| Some((text.strip_suffix(unit)?, seconds));
        let (number, seconds) = UNITS.into_iter().find_map(unit).ok_or(RULE)?;
        let number: u64 = number.parse().map_err(|_| RULE)?;
        let age = number.checked_mul(seconds).ok_or(RULE)?;
        match (60..=365 * 86_400).contains(&age) {
            true => Ok(Self(Duration::from_secs(age))),
            false => Err(RULE),
        }
    }
}

impl fmt::Display for KeysMaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.as_secs();
        let whole = UNITS
            .into_iter()
            .find(|(_, seconds)| all.is_multiple_of(*seconds));
        let (unit, seconds) = whole.unwrap_or(('s', 1));
        write!(f, "{}{unit}", all / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_and_written_alike_and_has_bounds() {
        for text in ["7d", "12h", "90m", "61s", "365d"] {
            assert_eq!(text.parse::<KeysMaxAge>().unwrap().to_string(), text);
        }
        assert_eq!("48h".parse::<KeysMaxAge>().unwrap().to_string(), "2d");
        assert_eq!(KeysMaxAge::default().to_string(), "7d");
        for text in [
            "",
            "7",
            "d",
            "59s",
            "0d",
            "366d",
            "-1d",
            "1.5h",
            "99999999999999999999d",
        ] {
            assert!(text.parse::<KeysMaxAge>().is_err(), "{text}");
        }
    }
}
