//! Policy files: between YAML and what it says.

use serde_norway::{Value, with::singleton_map_recursive};
use turnpike_access::policy::Policy;

use crate::ConversionError;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is called, for whoever reads an error.
    pub name: String,
    /// YAML.
    pub text: String,
}

/// The id that stands for none: the file leaves it out.
const NO_ID: &str = "000000000000";

/// Reads files as one policy.
///
/// # Errors
/// The first thing that is wrong: the file, the line, and what is allowed.
pub fn read_policy(documents: &[Document]) -> Result<Policy, ConversionError> {
    let mut policy = Policy::default();
    for document in documents {
        let wrong = |problem: String| ConversionError::new(&document.name, problem);
        // Read for its own sake: this refuses a key that stands twice in any mapping, which the types' maps do not.
        serde_norway::from_str::<Value>(&document.text).map_err(|error| wrong(error.to_string()))?;
        let text = serde_norway::Deserializer::from_str(&document.text);
        let said: Policy =
            singleton_map_recursive::deserialize(text).map_err(|error| wrong(error.to_string()))?;
        policy.join(said).map_err(|doubled| wrong(doubled.to_string()))?;
    }
    Ok(policy)
}

/// Writes a policy, without what goes without saying.
///
/// # Errors
/// If it cannot be written as YAML, which no policy that can be made is.
pub fn write_policy(policy: &Policy) -> Result<String, serde_norway::Error> {
    let mut value = singleton_map_recursive::serialize(policy, serde_norway::value::Serializer)?;
    for (section, silent) in [
        ("models", &["prices"][..]),
        ("grants", &["selector", "conditions", "id"]),
        ("fallbacks", &["id"]),
        ("offers", &["models", "id"]),
    ] {
        let entries = value.get_mut(section).and_then(Value::as_sequence_mut);
        for entry in entries.into_iter().flatten().filter_map(Value::as_mapping_mut) {
            entry.retain(|key, value| {
                !(says_nothing(value) && key.as_str().is_some_and(|key| silent.contains(&key)))
            });
        }
    }
    serde_norway::to_string(&value)
}

fn says_nothing(value: &Value) -> bool {
    value.as_mapping().is_some_and(serde_norway::Mapping::is_empty) || value.as_str() == Some(NO_ID)
}

#[cfg(test)]
mod tests;
