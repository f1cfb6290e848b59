//! Whether a path, or the model's name within one, can be read in one way only.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::RouteError::{self, Malformed};

/// Whether `%2F` may stand for a slash: only within a model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slashes {
    Plain,
    Encoded,
}

/// Decodes, and refuses what another reader of the same path might read otherwise.
pub(super) fn check(raw: &str, slashes: Slashes) -> Result<Cow<'_, str>, RouteError> {
    if escapes(raw).any(|escape| escape.is_none()) {
        return Err(Malformed(
            "the path has a '%' that is not followed by two hexadecimal digits",
        ));
    }
    if slashes == Slashes::Plain
        && escapes(raw)
            .flatten()
            .any(|digits| digits.eq_ignore_ascii_case("2f"))
    {
        return Err(Malformed("the path has an encoded slash"));
    }
    let text = percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| Malformed("the path is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(Malformed("the path has a control character"));
    }
    if text.contains('\\') {
        return Err(Malformed("the path has a backslash"));
    }
    if text.contains("//") {
        return Err(Malformed("the path has two slashes in a row"));
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Malformed("the path has a dot segment"));
    }
    Ok(text)
}

/// The two digits of each escape, or `None` for a `%` that begins none.
fn escapes(raw: &str) -> impl Iterator<Item = Option<&str>> {
    raw.split('%').skip(1).map(|after| {
        after
            .get(..2)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}
