//! Who is an edge: whoever holds the keyring, or whoever has enrolled.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use clap::Args;

const UNITS: [(char, u64); 3] = [('h', 3_600), ('m', 60), ('s', 1)];
const RULE: &str = "write a life from 2s to 720h, such as 24h";

/// How edges are let in.
#[derive(Debug, Clone, Default, Args)]
pub struct EdgeSettings {
    /// Where edges that have enrolled call, over TLS with certificates of Turnpike's own, such as 0.0.0.0:7072; see `turnpike
    /// edge enrol`. With it nobody else gets anything. Absent: whoever holds the keyring is an edge, at --listen.
    #[arg(id = "edge_listen", long = "edge-listen", env = "TURNPIKE_EDGE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Beside --edge-listen, let edges in at --listen that hold the keyring and have not enrolled yet: for as long as it takes
    /// to enrol them. Absent: they get nothing.
    #[arg(long, env = "TURNPIKE_KEYRING_EDGES", requires = "edge_listen", value_parser = clap::builder::FalseyValueParser::new())]
    pub keyring_edges: bool,
    /// How long an edge's certificate is good for. Edges ask for the next one when two thirds of it are over.
    #[arg(long, env = "TURNPIKE_EDGE_CERTIFICATE_LIFE", default_value_t)]
    pub edge_certificate_life: CertificateLife,
}

impl EdgeSettings {
    /// Whether the keyring makes an edge.
    pub fn keyring_is_enough(&self) -> bool {
        self.listen.is_none() || self.keyring_edges
    }
}

/// From two seconds to a month. Revoking does not wait for a certificate's end, so that it need not be short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateLife(Duration);

impl CertificateLife {
    /// How long it is.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl Default for CertificateLife {
    /// A day.
    fn default() -> Self {
        Self(Duration::from_secs(24 * 3_600))
    }
}

impl FromStr for CertificateLife {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let unit = |(unit, seconds): (char, u64)| Some((text.strip_suffix(unit)?, seconds));
        let (number, seconds) = UNITS.into_iter().find_map(unit).ok_or(RULE)?;
        let number: u64 = number.parse().map_err(|_| RULE)?;
        match number
            .checked_mul(seconds)
            .filter(|life| (2..=720 * 3_600).contains(life))
        {
            Some(life) => Ok(Self(Duration::from_secs(life))),
            None => Err(RULE),
        }
    }
}

impl fmt::Display for CertificateLife {
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
    fn a_life_is_read_and_written_alike_and_has_bounds() {
        for text in ["24h", "90m", "2s", "720h"] {
            assert_eq!(text.parse::<CertificateLife>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "24",
            "h",
            "1s",
            "721h",
            "-1h",
            "1.5h",
            "99999999999999999999h",
        ] {
            assert!(text.parse::<CertificateLife>().is_err(), "{text}");
        }
    }
}
