//! What is called how on NATS, and what the stream is like.

use std::time::Duration;

use async_nats::jetstream::stream::{Compression, Config, DiscardPolicy, StorageType};
use base64::{Engine as _, prelude::BASE64_URL_SAFE};

use super::InvalidNatsSettings;

/// As long as an edge that begins without a control plane may need them, after the state that was put aside before them.
pub(super) const MAX_AGE: Duration = Duration::from_hours(24);
/// 256 MiB.
const MAX_BYTES: i64 = 256 << 20;
/// For so long a message with the same id is dropped.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// What whole states take at most, in bytes: there is a moment when two are there. 1 GiB.
pub(super) const MOST_STATES: u64 = 1 << 30;
/// A state that no control plane has put there anew for so long is of no use, nor is what an attempt left.
const STATES_MAX_AGE: Duration = Duration::from_hours(7 * 24);

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
    /// The bucket of whole states.
    pub(super) states: String,
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
            states: format!("{}_STATES", prefix.to_ascii_uppercase()),
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
            allow_direct: true,
            ..Config::default()
        }
    }

    /// The stream behind the bucket.
    pub(super) fn states_stream(&self) -> String {
        format!("OBJ_{}", self.states)
    }

    /// Where the pieces of an object are.
    pub(super) fn chunks(&self, nuid: &str) -> String {
        format!("$O.{}.C.{nuid}", self.states)
    }

    /// Where an object is described.
    pub(super) fn described(&self, object: &str) -> String {
        format!("$O.{}.M.{}", self.states, BASE64_URL_SAFE.encode(object))
    }

    /// The bucket as it should be.
    pub(super) fn states_config(&self, replicas: u8) -> Config {
        Config {
            name: self.states_stream(),
            description: Some("Turnpike's state for edges that begin; may be deleted at any time".to_owned()),
            subjects: vec![self.chunks(">"), format!("$O.{}.M.>", self.states)],
            max_age: STATES_MAX_AGE,
            max_bytes: i64::try_from(MOST_STATES).unwrap_or(i64::MAX),
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: replicas.into(),
            allow_rollup: true,
            allow_direct: true,
            compression: Some(Compression::S2),
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
        assert_eq!(names.states_stream(), "OBJ_TURNPIKE_STATES");
        assert_eq!(names.described("state"), "$O.TURNPIKE_STATES.M.c3RhdGU=");
    }

    #[test]
    fn a_prefix_is_one_plain_word() {
        assert_eq!(Names::new("staging-2").unwrap().stream, "STAGING-2_EVENTS");
        for prefix in ["", "a.b", "A", "*", ">", "a b"] {
            assert!(Names::new(prefix).is_err(), "{prefix}");
        }
    }
}
