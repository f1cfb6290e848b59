//! `turnpike.sync.v1`: how edges follow the control plane.
//!
//! An event is carried with the bytes that were committed; whether they hold is for the receiver to check, by
//! [`Recorded::follows`].

use turnpike_access::{
    id::Timestamp,
    log::{Hash, Head, Origin, Position, Recorded},
};

use crate::{ConversionError, field::parse};

#[cfg(test)]
mod tests;

/// The package's messages and services.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    clippy::too_many_lines,
    reason = "generated; documented in the .proto file"
)]
pub mod v1 {
    tonic::include_proto!("turnpike.sync.v1");
}

impl From<&Recorded> for v1::Event {
    fn from(event: &Recorded) -> Self {
        let Recorded {
            position,
            origin,
            kind,
            version,
            payload,
            previous,
            hash,
        } = event;
        let Origin {
            time,
            tenant,
            actor,
            correlation,
        } = origin;
        Self {
            position: position.get(),
            time_us: time.as_micros(),
            tenant: tenant.to_string(),
            actor: actor.to_string(),
            correlation: correlation.to_string(),
            kind: kind.to_string(),
            version: u32::from(*version),
            payload: payload.to_string(),
            previous: previous.as_bytes().to_vec(),
            hash: hash.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<v1::Event> for Recorded {
    type Error = ConversionError;

    fn try_from(event: v1::Event) -> Result<Self, ConversionError> {
        let v1::Event {
            position,
            time_us,
            tenant,
            actor,
            correlation,
            kind,
            version,
            payload,
            previous,
            hash: own,
        } = event;
        Ok(Self {
            position: Position::new(position),
            origin: Origin {
                time: Timestamp::from_micros(time_us),
                tenant: parse("tenant", &tenant)?,
                actor: actor.into(),
                correlation: correlation.into(),
            },
            kind: kind.into(),
            version: u16::try_from(version)
                .map_err(|_| ConversionError::new("version", "is at most 65535"))?,
            payload: payload.into(),
            previous: hash("previous", &previous)?,
            hash: hash("hash", &own)?,
        })
    }
}

/// Consecutive events as one message.
pub fn batch<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> v1::Batch {
    v1::Batch {
        events: events.into_iter().map(v1::Event::from).collect(),
    }
}

/// The events of a message.
///
/// # Errors
/// The first event that means nothing; then none of them counts.
pub fn read_batch(batch: v1::Batch) -> Result<Vec<Recorded>, ConversionError> {
    let v1::Batch { events } = batch;
    let read = |event| Recorded::try_from(event).map_err(|error: ConversionError| error.within("events"));
    events.into_iter().map(read).collect()
}

/// Where the log ends, as said at a moment.
pub fn head(head: Head, said: Timestamp) -> v1::Head {
    let Head { position, hash } = head;
    v1::Head {
        position: position.get(),
        hash: hash.as_bytes().to_vec(),
        time_us: said.as_micros(),
    }
}

/// Where the log ends, and when that was said.
///
/// # Errors
/// The hash is not one.
pub fn read_head(head: &v1::Head) -> Result<(Head, Timestamp), ConversionError> {
    let v1::Head {
        position,
        hash: link,
        time_us,
    } = head;
    let head = Head {
        position: Position::new(*position),
        hash: hash("hash", link)?,
    };
    Ok((head, Timestamp::from_micros(*time_us)))
}

fn hash(field: &str, bytes: &[u8]) -> Result<Hash, ConversionError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| ConversionError::new(field, format!("has {} bytes, a hash has 32", bytes.len())))?;
    Ok(Hash::new(bytes))
}
