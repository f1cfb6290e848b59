//! Plain tables: no lines, so that they suit `grep` and `awk`; wrapped only on a terminal that is too narrow.

use comfy_table::{ContentArrangement, Table, presets};
use serde_norway::Value;

use super::document::text;

/// One line for each document, with a header.
pub(super) fn rows(columns: &[&str], documents: &[Value], width: Option<u16>) -> String {
    let mut table = plain(width);
    table.set_header(
        columns
            .iter()
            .map(|column| column.replace('_', " ").to_uppercase()),
    );
    for document in documents {
        table.add_row(columns.iter().map(|column| match document.get(column).map(text) {
            // An empty cell would make the columns after it shift for programs that split at blanks.
            Some(cell) if !cell.is_empty() => cell,
            _ => "-".to_owned(),
        }));
    }
    finish(&mut table)
}

/// One line for each field that has something in it.
pub(super) fn fields(document: &Value, width: Option<u16>) -> String {
    let mut table = plain(width);
    for (key, value) in document.as_mapping().into_iter().flatten() {
        let cell = text(value);
        if !cell.is_empty() {
            table.add_row([text(key).replace('_', " "), cell]);
        }
    }
    finish(&mut table)
}

fn plain(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table
}

/// The table without the blanks that pad its last column and indent its first.
fn finish(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
