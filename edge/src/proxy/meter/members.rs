//! The members of a JSON object, each value as its bytes, without reading what is in them: nearly all of an answer is
//! the model's text, which is nobody's business here.
//!
//! Only as strict as it must be to find where a value ends; whoever takes a value reads it properly.

use memchr::memchr2;

/// Hands each member's name, as it is written between its quotes, and value to `take`. `None`: this is not a whole
/// object.
pub(super) fn each<'b>(body: &'b [u8], mut take: impl FnMut(&'b [u8], &'b [u8])) -> Option<()> {
    let mut rest = body.trim_ascii().strip_prefix(b"{")?.trim_ascii_start();
    if rest == b"}" {
        return Some(());
    }
    loop {
        let (name, after) = rest.split_at_checked(value_length(rest)?)?;
        let name = name.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let after = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, after) = after.split_at_checked(value_length(after)?)?;
        take(name, value);
        match after.trim_ascii_start().split_first()? {
            (b',', after) => rest = after.trim_ascii_start(),
            (b'}', []) => return Some(()),
            _ => return None,
        }
    }
}

/// The length of the value at the start of these bytes.
fn value_length(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_length(bytes),
        b'{' | b'[' => nested_length(bytes),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
            bytes.iter().position(ends).filter(|length| *length > 0)
        }
    }
}

fn string_length(bytes: &[u8]) -> Option<usize> {
    // Most are names, and too short to be worth a search that is made for long texts.
    const SHORT: usize = 24;
    for (at, byte) in bytes.iter().enumerate().take(SHORT).skip(1) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => break,
            _ => {}
        }
    }
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

fn nested_length(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += string_length(bytes.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn members(body: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        each(body.as_bytes(), |name, value| {
            found.push((text(name), text(value)))
        })?;
        Some(found)
    }

    #[test]
    fn members_of_the_top_are_found_whatever_is_nested_or_quoted_in_them() {
        let body =
            r#" {"a" : {"usage":[1,{"b":"}]"}]} ,"\"b\\":"\"usage\":1\\", "c":-1.5e3,"d":null,"e":[ ]} "#;
        let expected = [
            ("a", r#"{"usage":[1,{"b":"}]"}]}"#),
            (r#"\"b\\"#, r#""\"usage\":1\\""#),
            ("c", "-1.5e3"),
            ("d", "null"),
            ("e", "[ ]"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(members(body), Some(expected.to_vec()));
        assert_eq!(members("{ }"), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_a_whole_object_has_no_members() {
        for cut in 0..r#"{"a":{"b":"c"},"d":[1]}"#.len() {
            assert_eq!(
                members(&r#"{"a":{"b":"c"},"d":[1]}"#[..cut]),
                None,
                "cut at {cut}"
            );
        }
        for body in [
            "[]",
            "1",
            "{} {}",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 2}",
            "{\"a\":]}",
        ] {
            assert_eq!(members(body), None, "{body}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\"\\\\{}\\[\\]:, a-zé]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\"\\\\a-c]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_json_reader_finds(value in json()) {
            let text = serde_json::to_string_pretty(&value).expect("text");
            let read = serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(&text).ok();
            let expected = read.map(|read| {
                read.values().map(|value| value.get().to_owned()).collect::<std::collections::BTreeSet<_>>()
            });
            let found = members(&text).map(|found| found.into_iter().map(|(_, value)| value).collect());
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = each(&bytes, |_, _| {});
        }
    }
}
