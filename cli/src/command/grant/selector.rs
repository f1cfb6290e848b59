//! Tests on environments and tags: from flags, and as they are shown.

use std::collections::BTreeMap;

use turnpike_proto::admin::v1::{SetTest, TagTest};

pub(in crate::command) fn any(operator: &str, values: Vec<String>) -> Option<SetTest> {
    (!values.is_empty()).then(|| SetTest {
        operator: operator.to_owned(),
        values,
    })
}

/// One test for each key: the values that were given for it are alternatives.
pub(in crate::command) fn tag_tests(
    operator: &'static str,
    pairs: Vec<(String, String)>,
) -> impl Iterator<Item = TagTest> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in pairs {
        keys.entry(key).or_default().push(value);
    }
    keys.into_iter().map(move |(key, values)| TagTest {
        key,
        test: any(operator, values),
    })
}

/// What must be, and what must not be.
pub(in crate::command) fn sides(test: SetTest) -> (Vec<String>, Vec<String>) {
    let SetTest { operator, values } = test;
    if operator == "not_in" {
        (Vec::new(), values)
    } else {
        (values, Vec::new())
    }
}

/// Likewise of tags, as `key=value`.
pub(in crate::command) fn tag_sides(tests: Vec<TagTest>) -> (Vec<String>, Vec<String>) {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for TagTest { key, test } in tests {
        let (is, is_not) = sides(test.unwrap_or_default());
        with.extend(is.into_iter().map(|value| format!("{key}={value}")));
        without.extend(is_not.into_iter().map(|value| format!("{key}={value}")));
    }
    (with, without)
}
