//! The bounds of one request, in bytes and in time.

use std::time::Duration;

use clap::Args;

use super::ByteSize;

/// How large a request may be and how long each part of it may take.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// The largest body of a request, such as 64MiB; a larger one gets 413
    #[arg(long, env = "TURNPIKE_BODY_LIMIT", default_value = "32MiB")]
    pub body_limit: ByteSize,

    /// The largest header section of a request; a larger one gets 431
    #[arg(long, env = "TURNPIKE_HEADER_LIMIT", default_value = "32KiB")]
    pub header_limit: ByteSize,

    /// The largest number of headers in a request
    #[arg(long, env = "TURNPIKE_HEADER_COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub header_count: u16,

    /// Seconds within which a client must have sent its headers
    #[arg(long, env = "TURNPIKE_HEADER_TIMEOUT", default_value = "10", value_parser = seconds)]
    pub header_timeout: Duration,

    /// Seconds within which a client must have sent its body
    #[arg(long, env = "TURNPIKE_BODY_TIMEOUT", default_value = "60", value_parser = seconds)]
    pub body_timeout: Duration,

    /// Seconds within which a provider must accept a connection
    #[arg(long, env = "TURNPIKE_CONNECT_TIMEOUT", default_value = "5", value_parser = seconds)]
    pub connect_timeout: Duration,

    /// Seconds within which a provider must begin to answer
    #[arg(long, env = "TURNPIKE_FIRST_BYTE_TIMEOUT", default_value = "300", value_parser = seconds)]
    pub first_byte_timeout: Duration,

    /// Seconds that may pass between two pieces of a provider's answer
    #[arg(long, env = "TURNPIKE_IDLE_TIMEOUT", default_value = "120", value_parser = seconds)]
    pub idle_timeout: Duration,

    /// Seconds that requests under way get to finish at shutdown; then they are cut
    #[arg(long, env = "TURNPIKE_DRAIN_TIMEOUT", default_value = "30", value_parser = seconds)]
    pub drain_timeout: Duration,

    /// Seconds for which an edge that an operator drains, no longer ready, still takes requests: as long as load balancers take to
    /// notice
    #[arg(long, env = "TURNPIKE_DRAIN_NOTICE", default_value = "15", value_parser = seconds)]
    pub drain_notice: Duration,
}

impl Limits {
    pub(super) fn effective(&self) -> Vec<(&'static str, String)> {
        let Self {
            body_limit,
            header_limit,
            header_count,
            header_timeout,
            body_timeout,
            connect_timeout,
            first_byte_timeout,
            idle_timeout,
            drain_timeout,
            drain_notice,
        } = self;
        let seconds = |duration: &Duration| format!("{}s", duration.as_secs_f64());
        vec![
            ("body-limit", body_limit.to_string()),
            ("header-limit", header_limit.to_string()),
            ("header-count", header_count.to_string()),
            ("header-timeout", seconds(header_timeout)),
            ("body-timeout", seconds(body_timeout)),
            ("connect-timeout", seconds(connect_timeout)),
            ("first-byte-timeout", seconds(first_byte_timeout)),
            ("idle-timeout", seconds(idle_timeout)),
            ("drain-timeout", seconds(drain_timeout)),
            ("drain-notice", seconds(drain_notice)),
        ]
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let rule = || format!("{text:?} is not a number of seconds from 0.001 to 86400");
    let number: f64 = text.parse().map_err(|_| rule())?;
    if (0.001..=86_400.0).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(rule())
    }
}
