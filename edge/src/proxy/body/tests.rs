//! Bodies: what is found, what is refused, and that splicing changes nothing else.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn model(body: &str) -> Result<Option<String>, BodyError> {
    scan(body.as_bytes()).map(|found| found.model.map(|model| model.name.into_owned()))
}

#[test]
fn the_fields_that_matter_are_found_at_the_top_only() {
    let body = br#" {"messages":[{"model":"no","stream":1}],"model":"a/b" ,"stream":true,"n":2,
        "stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":9} "#;
    let found = scan(body).unwrap();
    assert_eq!(found.require_model().unwrap().name, "a/b");
    assert_eq!(&body[found.require_model().unwrap().span.clone()], br#""a/b""#);
    assert!(found.stream && found.include_usage);
    assert_eq!((found.n, found.max_tokens), (Some(2), Some(9)));
}

#[test]
fn a_model_written_with_escapes_is_unescaped() {
    assert_eq!(
        model(r#"{"model":"a\/b\u00e9"}"#),
        Ok(Some("a/b\u{e9}".to_owned()))
    );
    assert!(matches!(
        model(r#"{"model":"\ud800"}"#),
        Err(BodyError::WrongType("model", _))
    ));
}

#[test]
fn a_field_twice_or_in_disguise_is_ambiguous() {
    for (body, field) in [
        (r#"{"model":"a","model":"a"}"#, "model"),
        (r#"{"Model":"a"}"#, "model"),
        (r#"{"model":"a","MODEL":"b"}"#, "model"),
        (r#"{"mod\u0065l":"a"}"#, "model"),
        ("{\"\u{17f}tream\":true}", "stream"),
        ("{\"max_to\u{212a}ens\":1}", "max_tokens"),
        (r#"{"\u017ftream":true}"#, "stream"),
        (r#"{"N":1}"#, "n"),
        (
            r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "include_usage",
        ),
        (r#"{"stream_options":{"Include_Usage":true}}"#, "include_usage"),
    ] {
        assert_eq!(model(body), Err(BodyError::Ambiguous(field)), "{body}");
    }
    assert_eq!(
        model(r#"{"models":"x","modele":1,"model":"a"}"#),
        Ok(Some("a".to_owned()))
    );
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for body in [
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        "{\"a\":1}x",
        "{\"a\":1,}",
        "{'a':1}",
        "{\"a\":01}",
        "\u{feff}{}",
    ] {
        assert!(
            matches!(model(body), Err(BodyError::NotJson(_))),
            "{body}: {:?}",
            model(body)
        );
    }
    assert_eq!(model(" \n"), Err(BodyError::Empty));
    assert_eq!(scan(b"{\"a\":\"\xff\"}"), Err(BodyError::NotUtf8));
}

#[test]
fn wrong_types_are_refused_and_null_means_absent() {
    let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(257));
    for body in [
        r#"{"model":1}"#,
        r#"{"model":null}"#,
        r#"{"model":""}"#,
        &long,
        r#"{"stream":"true"}"#,
        r#"{"stream":1}"#,
        r#"{"stream_options":[]}"#,
        r#"{"stream_options":{"include_usage":1}}"#,
    ] {
        assert!(matches!(model(body), Err(BodyError::WrongType(..))), "{body}");
    }
    let found = scan(br#"{"stream":null,"stream_options":null,"max_tokens":null,"n":-1}"#).unwrap();
    assert!(!found.stream && found.max_tokens.is_none() && found.n.is_none());
    assert_eq!(found.require_model(), Err(BodyError::ModelMissing));
}

#[test]
fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
    let nested = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(model(&nested(MAX_DEPTH)), Ok(None));
    assert_eq!(model(&nested(MAX_DEPTH + 1)), Err(BodyError::TooDeep));
    assert_eq!(model(&nested(200_000)), Err(BodyError::TooDeep));
    assert_eq!(model(&format!(r#"{{"a":"\"{}"}}"#, "[".repeat(500))), Ok(None));
}

#[test]
fn asking_for_usage_leaves_all_other_bytes_alone() {
    let asked = |body: &str| {
        String::from_utf8(splice(
            body.as_bytes(),
            &scan(body.as_bytes()).unwrap(),
            None,
            true,
        ))
        .unwrap()
    };
    assert_eq!(asked("{}"), r#"{"stream_options":{"include_usage":true}}"#);
    assert_eq!(
        asked(r#" { "a":1}"#),
        r#" {"stream_options":{"include_usage":true}, "a":1}"#
    );
    assert_eq!(
        asked(r#"{"stream_options":null}"#),
        r#"{"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        asked(r#"{"stream_options":{ }}"#),
        r#"{"stream_options":{"include_usage":true }}"#
    );
    assert_eq!(
        asked(r#"{"stream_options":{"x":1}}"#),
        r#"{"stream_options":{"include_usage":true,"x":1}}"#
    );
    let told = r#"{"stream_options":{"x":1,"include_usage": false}}"#;
    assert_eq!(asked(told), r#"{"stream_options":{"x":1,"include_usage": true}}"#);
    let already = r#"{"stream_options":{"include_usage":true}}"#;
    assert_eq!(asked(already), already);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_scanner_agrees_with_a_full_parse_and_splicing_changes_only_the_model(
        others in prop::collection::btree_map("x[a-z\"\\\\]{0,6}", any_json(), 0..5),
        name in "\\PC{1,40}", new in "\\PC{1,40}", stream in any::<bool>(), pretty in any::<bool>(),
    ) {
        let mut value = Value::Object(others.into_iter().collect());
        value["model"] = json!(name);
        value["stream"] = json!(stream);
        let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let found = scan(&body).unwrap();
        prop_assert_eq!(&found.model.as_ref().unwrap().name, &name);
        prop_assert_eq!(found.stream, stream);
        let spliced = splice(&body, &found, Some(&new), true);
        value["model"] = json!(new);
        value["stream_options"] = json!({"include_usage": true});
        prop_assert_eq!(serde_json::from_slice::<Value>(&spliced).unwrap(), value);
        prop_assert_eq!(splice(&body, &found, None, false), body.clone());
    }

    #[test]
    fn no_bytes_break_the_scanner(body in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,a-df-z\\\\0-9 ]{0,60}") {
        let _verdict = scan(&body);
        if let Ok(found) = scan(text.as_bytes()) {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object()) || text.contains("\\u"));
            let _bytes = splice(text.as_bytes(), &found, Some("m"), true);
        }
        let _verdict = multipart::find_model(&body, "b");
        let _verdict = multipart::boundary(&text);
    }
}
