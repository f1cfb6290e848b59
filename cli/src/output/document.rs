//! A view as a tree of values in the order of its fields, and such a value as the text of a table's cell.

use serde::Serialize;
use serde_norway::Value;

use crate::failure::Failure;

/// The view's fields, in the order in which the struct has them.
pub(super) fn of<V: Serialize>(view: &V) -> Result<Value, Failure> {
    serde_norway::to_value(view)
        .map_err(|error| Failure::local(format!("the answer cannot be shown: {error}")))
}

/// Whether a number is zero, or is not there.
pub(super) fn is_nothing(value: Option<&Value>) -> bool {
    let shown = value.map(text).unwrap_or_default();
    shown.parse::<f64>().is_ok_and(|number| number == 0.0) || shown.is_empty()
}

/// A value in one line; empty for what is absent.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => single_line(text),
        Value::Sequence(items) => joined(items.iter().map(text)),
        Value::Mapping(fields) => {
            let shown = fields.iter().filter(|(_, value)| !text(value).is_empty());
            joined(shown.map(|(key, value)| format!("{}={}", text(key), text(value))))
        }
        Value::Tagged(tagged) => text(&tagged.value),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Control characters, an escape sequence in a user agent say, must not reach a terminal.
fn single_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
