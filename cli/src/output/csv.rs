//! Comma-separated values by RFC 4180, for spreadsheets and billing.

use serde_norway::Value;

use super::document::text;

/// A header and one record for each document.
pub(super) fn rows(columns: &[&str], documents: &[Value]) -> String {
    let mut csv = record(columns.iter().map(|column| (*column).to_owned()));
    for document in documents {
        let cells = columns.iter().map(|column| document.get(column).map(text));
        csv.push_str(&record(cells.map(Option::unwrap_or_default)));
    }
    csv
}

/// Records of all fields, under the names that a plain one gives.
pub(super) fn all(plain: &Value, documents: &[Value], header: bool) -> String {
    let names: Vec<String> = plain
        .as_mapping()
        .into_iter()
        .flatten()
        .map(|(key, _)| text(key))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let whole = rows(&names, documents);
    match (header, whole.split_once("\r\n")) {
        (false, Some((_, records))) => records.to_owned(),
        _ => whole,
    }
}

/// One thing: its fields in one record, under their names.
pub(super) fn one(document: &Value) -> String {
    let fields = document.as_mapping().into_iter().flatten();
    let names: Vec<String> = fields.map(|(key, _)| text(key)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    rows(&names, std::slice::from_ref(document))
}

fn record(cells: impl Iterator<Item = String>) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_would_be_misread_are_quoted() {
        let document: Value = serde_norway::from_str("{a: 'x, \"y\"', b: 1, c: [p, q]}").unwrap();
        let csv = rows(&["a", "b", "c", "d"], &[document]);
        assert_eq!(csv, "a,b,c,d\r\n\"x, \"\"y\"\"\",1,\"p, q\",\r\n");
    }
}
