//! Rows as syslog: messages of RFC 5424, each with its length before it (octet counting, RFC 6587 section 3.4.1). The message is
//! the row as JSON.

use turnpike_proto::admin::{AuditLine, time};

use super::batch;
use crate::store::StoredRecord;

/// The most bytes of one delivery, unless a single row is longer.
const BYTES: usize = 1024 * 1024;
/// The facility "log audit".
const FACILITY: u32 = 13;
const WARNING: u32 = 4;
const INFORMATIONAL: u32 = 6;
/// The longest HOSTNAME, in characters.
const HOST: usize = 255;

/// The first rows that fit into one delivery, and how many they are.
pub(super) fn frames(rows: &[StoredRecord]) -> Result<(Vec<u8>, usize), serde_json::Error> {
    let (mut frames, mut count) = (Vec::new(), 0);
    for row in rows {
        let message = message(row)?;
        if count > 0 && frames.len() + message.len() > BYTES {
            break;
        }
        frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
        count += 1;
    }
    Ok((frames, count))
}

fn message(row: &StoredRecord) -> Result<String, serde_json::Error> {
    let entry = batch::entry(row);
    let severity = match entry.outcome.as_str() {
        "refused" => WARNING,
        _ => INFORMATIONAL,
    };
    let priority = FACILITY * 8 + severity;
    let moment = time(entry.time_us).unwrap_or_else(nil);
    let (host, epoch) = (name(&entry.edge), entry.epoch);
    let json = serde_json::to_string(&AuditLine::from(entry))?;
    Ok(format!(
        "<{priority}>1 {moment} {host} turnpike {epoch} audit - {json}"
    ))
}

/// A name as a header takes it: printable ASCII without spaces.
fn name(text: &str) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(HOST).collect();
    if name.is_empty() { nil() } else { name }
}

fn nil() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_takes_is_left_out_of_a_name() {
        assert_eq!(name("eu 1\nä"), "eu1");
        assert_eq!(name(" "), "-");
        assert_eq!(name(&"x".repeat(300)).len(), HOST);
    }
}
