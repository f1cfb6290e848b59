//! Rows as one message.

use turnpike_proto::admin::{AuditLine, v1::AuditEntry};

use crate::store::StoredRecord;

/// The most bytes of one message, unless a single row is longer.
const BYTES: usize = 1024 * 1024;

/// The message's id: the same rows have the same, however often they are sent.
pub(super) fn id(rows: &[StoredRecord]) -> String {
    match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => {
            let (edge, epoch) = (&first.id.edge, first.id.epoch);
            format!("{edge}.{epoch}.{}-{}", first.id.sequence, last.id.sequence)
        }
        _ => String::new(),
    }
}

/// A row as the administration shows it.
pub(super) fn entry(row: &StoredRecord) -> AuditEntry {
    (&row.id, &row.record).into()
}

/// The first rows that fit into one message, a line of JSON for each, and how many they are.
pub(super) fn lines(rows: &[StoredRecord]) -> Result<(String, usize), serde_json::Error> {
    let (mut text, mut count) = (String::new(), 0);
    for row in rows {
        let line = serde_json::to_string(&AuditLine::from(entry(row)))?;
        if count > 0 && text.len() + line.len() >= BYTES {
            break;
        }
        text.push_str(&line);
        text.push('\n');
        count += 1;
    }
    Ok((text, count))
}
