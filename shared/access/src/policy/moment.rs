//! Moments as people write them: RFC 3339.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::{InvalidName, Timestamp};

/// A moment, in the file `2026-12-31T00:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const RULE: &str = "write it as 2026-12-31T00:00:00Z";
        let time: jiff::Timestamp = text.parse().map_err(|_| InvalidName::new(text, "moment", RULE))?;
        Ok(Self(Timestamp::from_micros(time.as_microsecond())))
    }
}

impl TryFrom<String> for Moment {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.as_micros()) {
            Ok(time) => time.fmt(f),
            // Out of the calendar: nothing that was ever written is.
            Err(_) => self.0.as_micros().fmt(f),
        }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}
