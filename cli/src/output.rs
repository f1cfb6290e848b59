//! What a command prints on standard output: a plain table for people, JSON or YAML for programs.
//!
//! A noun's view is one serialisable struct; its table columns are some of its fields, so that the three
//! formats can't drift apart.

mod csv;
mod document;
mod receipt;
mod table;

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_norway::{Mapping, Value};
use turnpike_proto::admin::v1::Receipt;

pub use receipt::ReceiptView;

use crate::failure::Failure;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, for people.
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// Comma-separated values with a header, for spreadsheets and billing.
    Csv,
}

/// A noun as it is shown. Field names are an interface: programs read them.
pub trait View: Serialize {
    /// The fields that a list shows, in order.
    const COLUMNS: &'static [&'static str];
}

/// What a write did.
pub struct Written<'a, V> {
    /// Under which name the thing is shown: `credential`.
    pub noun: &'static str,
    /// The thing as it is now; absent where it was deleted.
    pub view: Option<&'a V>,
    /// A full key that is shown this once.
    pub key: Option<&'a str>,
    /// Where the write stands.
    pub receipt: Option<Receipt>,
    /// Whether the edges were waited for.
    pub waited: bool,
}

/// Rows whose columns are known only when they are asked for, and their sum.
pub struct Report {
    /// In order: the name, and whether a table shows it where the sum has nothing in it.
    pub columns: Vec<(String, bool)>,
    /// The rows.
    pub rows: Vec<Value>,
    /// The sum of everything.
    pub total: Value,
}

/// Records of comma-separated values, and a header before them where it is wanted, which a plain view gives.
pub fn csv_lines<V: Serialize>(plain: &V, views: &[V], header: bool) -> Result<String, Failure> {
    let documents: Vec<Value> = views.iter().map(document::of).collect::<Result<_, _>>()?;
    Ok(csv::all(&document::of(plain)?, &documents, header))
}

/// Writes results in the format that was asked for.
pub struct Printer {
    format: Format,
    /// The terminal's columns; absent where the output goes to a file or a pipe, which have no width.
    width: Option<u16>,
}

impl Printer {
    /// A printer for standard output.
    pub fn new(format: Format) -> Self {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0);
        Self { format, width }
    }

    /// Writes many things: a table with a header, or an array.
    pub fn list<V: View>(&self, views: &[V]) -> Result<(), Failure> {
        self.emit(&self.render_list(views)?)
    }

    /// Writes one thing: a field a line, or an object.
    pub fn one<V: Serialize>(&self, view: &V) -> Result<(), Failure> {
        let document = document::of(view)?;
        let text = match self.format {
            Format::Table => table::fields(&document, self.width),
            Format::Csv => csv::one(&document),
            Format::Json | Format::Yaml => self.render(&document)?,
        };
        self.emit(&text)
    }

    /// Writes one thing and the parts that belong to it: fields and a table, or an object with an array inside.
    pub fn whole<V: Serialize, P: View>(&self, head: &V, noun: &str, parts: &[P]) -> Result<(), Failure> {
        let mut head = document::of(head)?;
        let parts: Vec<Value> = parts.iter().map(document::of).collect::<Result<_, _>>()?;
        if self.format == Format::Table {
            let rows = table::rows(P::COLUMNS, &parts, self.width);
            return self.emit(&format!("{}\n{rows}", table::fields(&head, self.width)));
        }
        if let Some(fields) = head.as_mapping_mut() {
            fields.insert(noun.into(), Value::Sequence(parts));
        }
        self.emit(&self.render(&head)?)
    }

    /// Writes rows and their sum: in a table the sum is the last row, and CSV is without it, for whoever adds up.
    pub fn report(&self, report: &Report) -> Result<(), Failure> {
        let Report { columns, rows, total } = report;
        let says = |(name, always): &&(String, bool)| *always || !document::is_nothing(total.get(name));
        let shown: Vec<&str> = columns
            .iter()
            .filter(says)
            .map(|(name, _)| name.as_str())
            .collect();
        let text = match self.format {
            Format::Table => {
                let all: Vec<Value> = rows.iter().chain([total]).cloned().collect();
                table::rows(&shown, &all, self.width)
            }
            Format::Csv => {
                let all: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                csv::rows(&all, rows)
            }
            Format::Json | Format::Yaml => {
                let mut whole = Mapping::new();
                whole.insert("rows".into(), Value::Sequence(rows.clone()));
                whole.insert("total".into(), total.clone());
                self.render(&Value::Mapping(whole))?
            }
        };
        self.emit(&text)
    }

    /// Writes what a write did, and says whether it did all that was asked: with waiting, that every edge has it.
    pub fn written<V: Serialize>(&self, written: &Written<'_, V>) -> Result<bool, Failure> {
        let receipt = ReceiptView::new(written.receipt.clone().unwrap_or_default(), written.waited);
        self.emit(&self.render_written(written, &receipt)?)?;
        Ok(receipt.complete())
    }

    /// Writes what is for people alone.
    pub fn prose(&self, text: &str) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.emit(text),
            Format::Json | Format::Yaml | Format::Csv => Ok(()),
        }
    }

    /// Writes what prose has told people already, for programs.
    pub fn machine<V: Serialize>(&self, view: &V) -> Result<(), Failure> {
        match self.format {
            Format::Table => Ok(()),
            Format::Json | Format::Yaml | Format::Csv => self.one(view),
        }
    }

    /// Writes where a change stands that prose has told of, and says whether it did all that was asked.
    pub fn applied<V: Serialize>(&self, view: &V, receipt: &ReceiptView) -> Result<bool, Failure> {
        match self.format {
            Format::Table => self.emit(&receipt.text(self.width)?)?,
            Format::Json | Format::Yaml | Format::Csv => {
                let mut whole = document::of(view)?;
                if let Some(fields) = whole.as_mapping_mut() {
                    fields.insert("receipt".into(), document::of(receipt)?);
                }
                self.emit(&self.render(&whole)?)?;
            }
        }
        Ok(receipt.complete())
    }

    /// Writes a text as it is, whatever the format.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        self.emit(text)
    }

    fn render_list<V: View>(&self, views: &[V]) -> Result<String, Failure> {
        let documents: Vec<Value> = views.iter().map(document::of).collect::<Result<_, _>>()?;
        match self.format {
            Format::Table => Ok(table::rows(V::COLUMNS, &documents, self.width)),
            Format::Csv => Ok(csv::rows(V::COLUMNS, &documents)),
            Format::Json | Format::Yaml => self.render(&Value::Sequence(documents)),
        }
    }

    fn render_written<V: Serialize>(
        &self,
        written: &Written<'_, V>,
        receipt: &ReceiptView,
    ) -> Result<String, Failure> {
        let view = written.view.map(document::of).transpose()?;
        if self.format == Format::Table {
            let mut text = String::new();
            if let Some(key) = written.key {
                text.push_str(&format!("{key}\n\nThis key is shown only now: keep it safe.\n\n"));
            }
            if let Some(view) = &view {
                text.push_str(&table::fields(view, self.width));
                text.push('\n');
            }
            text.push_str(&receipt.text(self.width)?);
            return Ok(text);
        }
        let mut whole = Mapping::new();
        if let Some(key) = written.key {
            whole.insert("key".into(), key.into());
        }
        if let Some(view) = view {
            whole.insert(written.noun.into(), view);
        }
        whole.insert("receipt".into(), document::of(receipt)?);
        self.render(&Value::Mapping(whole))
    }

    fn render(&self, document: &Value) -> Result<String, Failure> {
        let unwritable = |error: String| Failure::local(format!("the answer cannot be written: {error}"));
        if self.format == Format::Yaml {
            return serde_norway::to_string(document).map_err(|error| unwritable(error.to_string()));
        }
        let mut text =
            serde_json::to_string_pretty(document).map_err(|error| unwritable(error.to_string()))?;
        text.push('\n');
        Ok(text)
    }

    /// Writes to standard output. A reader that has gone away, as `head` does, is no failure.
    fn emit(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::local(format!(
                "cannot write to standard output: {error}"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
