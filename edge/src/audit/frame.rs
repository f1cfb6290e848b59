//! The bytes of the spool: a segment's header and the frames after it. Files are left to [`super::segment`].
//!
//! Header, 32 bytes: magic (8), format version (u32), epoch (u64), sequence of the first frame (u64), CRC-32 of all
//! that. Frame: length of the payload (u32), CRC-32 over sequence and payload (u32), payload. Little endian.

/// Length of a segment's header in bytes.
pub(super) const HEADER: usize = 32;
/// Length of what precedes a frame's payload, in bytes.
pub(super) const PREFIX: usize = 8;
/// The largest payload in bytes. A record's fields are cut far below; more than this is not a length but damage.
pub(super) const LARGEST: usize = 1 << 20;

const MAGIC: [u8; 8] = *b"TPSPOOL\n";
const FORMAT: u32 = 1;

/// What a segment's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The run of the lane that wrote it.
    pub(super) epoch: u64,
    /// The sequence of its first frame.
    pub(super) first: u64,
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        let check = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes
    }

    /// `None`: these are not the first bytes of a segment that this build can read.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = bytes.split_at_checked(HEADER - 4)?;
        let check = u32::from_le_bytes(*rest.first_chunk()?);
        let rest = body.strip_prefix(&MAGIC)?;
        let (format, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (first, _) = rest.split_first_chunk()?;
        (check == crc32fast::hash(body) && u32::from_le_bytes(*format) == FORMAT).then_some(Self {
            epoch: u64::from_le_bytes(*epoch),
            first: u64::from_le_bytes(*first),
        })
    }
}

/// Appends an encoded record to a buffer.
pub(super) type Payload<'r> = &'r dyn Fn(&mut Vec<u8>);

/// Encodes a record as the frame of this sequence, into a buffer that is reused. `false`: it is too large.
pub(super) fn encode(buffer: &mut Vec<u8>, sequence: u64, record: Payload<'_>) -> bool {
    buffer.clear();
    buffer.extend_from_slice(&[0; PREFIX]);
    record(buffer);
    let Some((prefix, payload)) = buffer.split_first_chunk_mut::<PREFIX>() else {
        return false;
    };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let check = checksum(sequence, payload);
    *prefix = (u64::from(length) | u64::from(check) << 32).to_le_bytes();
    payload.len() <= LARGEST
}

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'b> {
    /// A frame: its record, still encoded, and how many bytes the frame takes.
    Frame(&'b [u8], usize),
    /// The beginning of a frame, or nothing: more bytes are needed to tell.
    Short,
    /// Something that was never written as the frame of this sequence.
    Damaged,
}

/// Reads the frame of this sequence from the start of `bytes`.
pub(super) fn decode(bytes: &[u8], sequence: u64) -> Found<'_> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Found::Short;
    };
    let prefix = u64::from_le_bytes(*prefix);
    let length = usize::try_from(prefix & u64::from(u32::MAX)).unwrap_or(usize::MAX);
    if length > LARGEST {
        return Found::Damaged;
    }
    let Some(payload) = rest.get(..length) else {
        return Found::Short;
    };
    if prefix >> 32 != u64::from(checksum(sequence, payload)) {
        return Found::Damaged;
    }
    Found::Frame(payload, PREFIX + length)
}

/// The sequence is under the checksum, so that a frame in another's place shows.
fn checksum(sequence: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sequence.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use turnpike_proto::audit::v1::Record;

    use super::*;

    fn frame(sequence: u64) -> Vec<u8> {
        let record = Record {
            request_id: format!("req-{sequence}"),
            ..Record::default()
        };
        let mut buffer = Vec::new();
        assert!(encode(&mut buffer, sequence, &|out| {
            record.encode(out).expect("room");
        }));
        buffer
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let bytes = frame(7);
        let Found::Frame(payload, taken) = decode(&bytes, 7) else {
            panic!("no frame");
        };
        let record = Record::decode(payload).expect("record");
        assert_eq!((record.request_id.as_str(), taken), ("req-7", bytes.len()));
    }

    #[test]
    fn a_frame_in_another_ones_place_is_damage() {
        assert_eq!(decode(&frame(7), 8), Found::Damaged);
    }

    #[test]
    fn a_frame_cut_anywhere_is_short_and_one_flipped_anywhere_is_never_taken() {
        let bytes = frame(7);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut], 7), Found::Short, "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(
                !matches!(decode(&flipped, 7), Found::Frame(..)),
                "flipped at {at}"
            );
        }
    }

    #[test]
    fn a_header_is_read_back_and_a_damaged_one_is_not() {
        let header = Header { epoch: 99, first: 12 };
        let bytes = header.encode();
        assert_eq!(bytes.len(), HEADER);
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(Header::decode(&flipped), None, "flipped at {at}");
            assert_eq!(Header::decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
