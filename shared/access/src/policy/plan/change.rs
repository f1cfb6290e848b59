//! What is different between two values, a field a line, for people. Ciphertext never shows.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// The fields that differ: `environment: "staging" -> "production"`. None where the two are the same.
pub(super) fn between<T: Serialize>(from: &T, to: &T) -> Vec<String> {
    let (from, to) = (fields(from), fields(to));
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| from.get(*name) != to.get(*name);
    let shown = |name: &String| match sealed(name) {
        true => "secret: replaced".to_owned(),
        false => {
            let (was, is) = (text(from.get(name)), text(to.get(name)));
            match was == is {
                // They differ in what is not shown.
                true => format!("{name}: secret replaced"),
                false => format!("{name}: {was} -> {is}"),
            }
        }
    };
    names.into_iter().filter(differs).map(shown).collect()
}

/// Every field: `environment: "staging"`.
pub(super) fn of<T: Serialize>(value: &T) -> Vec<String> {
    let shown = |(name, value): (String, Value)| match sealed(&name) {
        true => "secret: set".to_owned(),
        false => format!("{name}: {}", text(Some(&value))),
    };
    let says = |(_, value): &(String, Value)| !matches!(value, Value::Object(map) if map.is_empty());
    fields(value).into_iter().filter(says).map(shown).collect()
}

/// JSON text without ciphertext.
pub(super) fn without_secrets(json: &str) -> Arc<str> {
    let mut value = serde_json::from_str(json).unwrap_or_default();
    hide(&mut value);
    Arc::from(value.to_string())
}

fn sealed(name: &str) -> bool {
    name == "sealed_secret"
}

fn fields<T: Serialize>(value: &T) -> serde_json::Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

fn text(value: Option<&Value>) -> String {
    let mut value = value.cloned().unwrap_or_default();
    hide(&mut value);
    match value {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match sealed(name) {
                    true => *value = Value::from("(sealed)"),
                    false => hide(value),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        _ => {}
    }
}
