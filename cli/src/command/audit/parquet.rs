//! The audit as a Parquet file: the columns of the JSON in their order, with types of their own. What has several values is a
//! text of JSON. A group of rows for each page, so that no more than one is held.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use turnpike_proto::admin::v1::AuditEntry;

/// A column and where its values are in a row.
type Column = (&'static str, Values);

enum Values {
    /// Nothing where it is empty.
    Text(fn(&AuditEntry) -> String),
    /// JSON of several values.
    Json(fn(&AuditEntry) -> Option<String>),
    /// Microseconds since the epoch.
    Moment(fn(&AuditEntry) -> i64),
    Number(fn(&AuditEntry) -> Option<i64>),
    Flag(fn(&AuditEntry) -> bool),
}

const COLUMNS: &[Column] = &[
    ("time", Values::Moment(|row| row.time_us)),
    ("request_id", Values::Text(|row| row.request_id.clone())),
    ("decision_id", Values::Text(|row| row.decision_id.clone())),
    ("trace_id", Values::Text(|row| row.trace_id.clone())),
    ("tenant", Values::Text(|row| row.tenant.clone())),
    ("principal", Values::Text(|row| row.principal.clone())),
    ("credential", Values::Text(|row| row.credential.clone())),
    ("auth_method", Values::Text(|row| row.auth_method.clone())),
    ("issuer", Values::Text(|row| row.issuer.clone())),
    ("claim", Values::Text(|row| row.claim.clone())),
    (
        "groups",
        Values::Json(|row| serde_json::to_string(&row.groups).ok()),
    ),
    ("groups_cut", Values::Flag(|row| row.groups_cut)),
    ("token_id", Values::Text(|row| row.token_id.clone())),
    ("route", Values::Text(|row| row.route.clone())),
    ("action", Values::Text(|row| row.action.clone())),
    ("subject", Values::Text(|row| row.subject.clone())),
    ("resource", Values::Text(|row| row.resource.clone())),
    ("model_requested", Values::Text(|row| row.model_requested.clone())),
    ("model_served", Values::Text(|row| row.model_served.clone())),
    ("fallback_from", Values::Text(|row| row.fallback_from.clone())),
    ("provider", Values::Text(|row| row.provider.clone())),
    ("environment", Values::Text(|row| row.environment.clone())),
    ("outcome", Values::Text(|row| row.outcome.clone())),
    ("reason", Values::Text(|row| row.reason.clone())),
    (
        "grants",
        Values::Json(|row| serde_json::to_string(&row.grants).ok()),
    ),
    ("status", Values::Number(|row| Some(row.status.into()))),
    (
        "upstream_status",
        Values::Number(|row| row.upstream_status.map(Into::into)),
    ),
    ("latency_us", Values::Number(|row| count(Some(row.latency_us)))),
    ("first_token_us", Values::Number(|row| count(row.first_token_us))),
    ("input_tokens", Values::Number(|row| count(row.input_tokens))),
    ("output_tokens", Values::Number(|row| count(row.output_tokens))),
    ("cached_tokens", Values::Number(|row| count(row.cached_tokens))),
    (
        "reasoning_tokens",
        Values::Number(|row| count(row.reasoning_tokens)),
    ),
    ("team", Values::Text(|row| row.team.clone())),
    ("cost_nanos", Values::Number(|row| count(row.cost_nanos))),
    ("saved_nanos", Values::Number(|row| row.saved_nanos)),
    ("streamed", Values::Flag(|row| row.streamed)),
    ("ending", Values::Text(|row| row.ending.clone())),
    ("client", Values::Text(|row| row.client.clone())),
    ("user_agent", Values::Text(|row| row.user_agent.clone())),
    (
        "metadata",
        Values::Json(|row| serde_json::to_string(&row.metadata).ok()),
    ),
    ("region", Values::Text(|row| row.region.clone())),
    ("edge", Values::Text(|row| row.edge.clone())),
    ("epoch", Values::Number(|row| count(Some(row.epoch)))),
    ("sequence", Values::Number(|row| count(Some(row.sequence)))),
    ("position", Values::Number(|row| count(Some(row.position)))),
];

fn count(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// A file that is being written.
pub(super) struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> File<W> {
    pub(super) fn new(out: W) -> Result<Self, ParquetError> {
        let fields: Result<Vec<_>, _> = COLUMNS.iter().map(|column| field(column).map(Arc::new)).collect();
        let schema = Type::group_type_builder("audit").with_fields(fields?).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer })
    }

    /// Writes a group of rows.
    pub(super) fn rows(&mut self, rows: &[AuditEntry]) -> Result<(), ParquetError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (_, values) in COLUMNS {
            let Some(mut column) = group.next_column()? else {
                return Err(ParquetError::General(
                    "there are fewer columns than fields".to_owned(),
                ));
            };
            match values {
                Values::Moment(get) => {
                    let all: Vec<i64> = rows.iter().map(get).collect();
                    column.typed::<Int64Type>().write_batch(&all, None, None)?;
                }
                Values::Flag(get) => {
                    let all: Vec<bool> = rows.iter().map(get).collect();
                    column.typed::<BoolType>().write_batch(&all, None, None)?;
                }
                Values::Number(get) => {
                    let (all, known) = optional(rows.iter().map(get));
                    column
                        .typed::<Int64Type>()
                        .write_batch(&all, Some(&known), None)?;
                }
                Values::Text(get) => {
                    let texts = rows
                        .iter()
                        .map(get)
                        .map(|text| (!text.is_empty()).then_some(text));
                    let (all, known) = optional(texts.map(|text| Some(ByteArray::from(text?.into_bytes()))));
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&all, Some(&known), None)?;
                }
                Values::Json(get) => {
                    let (all, known) = optional(
                        rows.iter()
                            .map(|row| Some(ByteArray::from(get(row)?.into_bytes()))),
                    );
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&all, Some(&known), None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub(super) fn close(self) -> Result<(), ParquetError> {
        self.writer.close().map(drop)
    }
}

/// The values that are there, and for each whether it is.
fn optional<T>(all: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let (mut values, mut known) = (Vec::new(), Vec::new());
    for value in all {
        known.push(i16::from(value.is_some()));
        values.extend(value);
    }
    (values, known)
}

fn field((name, values): &Column) -> Result<Type, ParquetError> {
    let (physical, repetition, logical) = match values {
        // Not marked as JSON: there are readers that take that for objects alone.
        Values::Text(_) | Values::Json(_) => (
            Physical::BYTE_ARRAY,
            Repetition::OPTIONAL,
            Some(LogicalType::String),
        ),
        Values::Moment(_) => {
            let moment = LogicalType::timestamp(true, TimeUnit::MICROS);
            (Physical::INT64, Repetition::REQUIRED, Some(moment))
        }
        Values::Number(_) => (Physical::INT64, Repetition::OPTIONAL, None),
        Values::Flag(_) => (Physical::BOOLEAN, Repetition::REQUIRED, None),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Field,
    };

    use super::*;

    #[test]
    fn what_is_written_over_several_pages_is_read_back_with_its_types_and_what_is_not_known_is_null() {
        let row = |sequence: u64| AuditEntry {
            time_us: 1_700_000_000_123_456,
            principal: "user:älice".to_owned(),
            status: 200,
            input_tokens: Some(0),
            saved_nanos: Some(-5),
            streamed: true,
            groups: vec!["okta/a\"b".to_owned()],
            metadata: [("customer".to_owned(), "c1".to_owned())].into(),
            epoch: 7,
            sequence,
            ..AuditEntry::default()
        };
        let mut bytes = Vec::new();
        let mut file = File::new(&mut bytes).unwrap();
        file.rows(&[row(1), row(2)]).unwrap();
        file.rows(&[]).unwrap();
        file.rows(&[row(3)]).unwrap();
        file.close().unwrap();
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        let read = |name: &str| {
            let columns = rows[2].get_column_iter();
            let found = columns.into_iter().find(|(column, _)| *column == name);
            found.unwrap().1.clone()
        };
        let text = |text: &str| Field::Str(text.to_owned());
        assert_eq!(read("time"), Field::TimestampMicros(1_700_000_000_123_456));
        assert_eq!(read("principal"), text("user:älice"));
        assert_eq!(read("groups"), text(r#"["okta/a\"b"]"#));
        assert_eq!(read("metadata"), text(r#"{"customer":"c1"}"#));
        assert_eq!(
            (read("model_served"), read("output_tokens")),
            (Field::Null, Field::Null)
        );
        assert_eq!(
            (read("input_tokens"), read("saved_nanos")),
            (Field::Long(0), Field::Long(-5))
        );
        assert_eq!(
            (read("streamed"), read("sequence")),
            (Field::Bool(true), Field::Long(3))
        );
    }

    /// Whoever knows the JSON knows the columns.
    #[test]
    fn the_columns_are_those_of_the_json() {
        let line = turnpike_proto::admin::AuditLine::from(AuditEntry::default());
        let json = serde_json::to_value(line).unwrap();
        let shown: std::collections::BTreeSet<String> = json.as_object().unwrap().keys().cloned().collect();
        // What JSON has in other units than are stored.
        let unit = |name: &str| match name {
            "latency_us" | "first_token_us" => name.replace("_us", "_ms"),
            "cost_nanos" | "saved_nanos" => name.replace("_nanos", "_usd"),
            _ => name.to_owned(),
        };
        let columns = COLUMNS.iter().map(|(name, _)| unit(name)).collect();
        assert_eq!(shown, columns);
    }
}
