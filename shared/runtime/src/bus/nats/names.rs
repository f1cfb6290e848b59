//! What is called how on NATS, and what the stream is like.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};

use super::InvalidNatsSettings;

/// Whoever was away for longer heals from the control plane anyway.
const MAX_AGE: Duration = Duration::from_hours(1);
/// 256 MiB.
const MAX_BYTES: i64 = 256 << 20;
/// For so long a message with the same id is dropped.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// The subjects and the stream of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Batches of events.
    pub(super) events: String,
    /// Where the log ends.
    pub(super) head: String,
    /// Matches both, so that one subscription keeps them in order.
    pub(super) both: String,
    /// The stream that takes the events.
    pub(super) stream: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Result<Self, InvalidNatsSettings> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if prefix.is_empty() || !prefix.bytes().all(plain) {
            return Err(InvalidNatsSettings::Prefix(prefix.to_owned()));
        }
        Ok(Self {
            events: format!("{prefix}.events.v1"),
            head: format!("{prefix}.head.v1"),
            both: format!("{prefix}.*.v1"),
            stream: format!("{}_EVENTS", prefix.to_ascii_uppercase()),
        })
    }

    /// The stream as it should be.
    pub(super) fn stream_config(&self, replicas: u8) -> Config {
        Config {
            name: self.stream.clone(),
            description: Some("News from Turnpike's control planes; may be deleted at any time".to_owned()),
            subjects: vec![self.events.clone()],
            max_age: MAX_AGE,
            max_bytes: MAX_BYTES,
            discard: DiscardPolicy::Old,
            duplicate_window: DUPLICATE_WINDOW,
            storage: StorageType::File,
            num_replicas: replicas.into(),
            ..Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_others_rely_on() {
        let names = Names::new("turnpike").unwrap();
        assert_eq!(names.stream, "TURNPIKE_EVENTS");
        assert_eq!(names.events, "turnpike.events.v1");
        assert_eq!(names.head, "turnpike.head.v1");
    }

    #[test]
    fn a_prefix_is_one_plain_word() {
        assert_eq!(Names::new("staging-2").unwrap().stream, "STAGING-2_EVENTS");
        for prefix in ["", "a.b", "A", "*", ">", "a b"] {
            assert!(Names::new(prefix).is_err(), "{prefix}");
        }
    }
}
