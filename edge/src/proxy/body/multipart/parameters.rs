//! The parameters of a header's value: `; name=token; name="quoted"`.

/// Goes through the parameters that follow the first semicolon. An item is `None`, and the last, where the text is
/// not plain. A backslash is left as it is written: whoever cares refuses it.
pub(super) fn parameters(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((parameter, after)) = next(text) else {
            return Some(None);
        };
        rest = after;
        Some(Some(parameter))
    })
}

type Parameter<'t> = (&'t str, &'t str);

fn next(text: &str) -> Option<(Parameter<'_>, Option<&str>)> {
    let (name, text) = text.trim_ascii_start().split_once('=')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return None;
    }
    let (value, after) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (value, after) = quoted.split_at_checked(closing_quote(quoted)?)?;
            (value, after.strip_prefix('"')?)
        }
        None => {
            let (value, after) = text.split_at_checked(text.find(';').unwrap_or(text.len()))?;
            // Some clients leave boundaries unquoted that hold more than a token may.
            let plain = |byte: u8| token(byte) || b"/:=?()@,".contains(&byte);
            let value = Some(value.trim_ascii_end()).filter(|value| !value.is_empty())?;
            (Some(value).filter(|value| value.bytes().all(plain))?, after)
        }
    };
    let after = after.trim_ascii_start();
    if after.is_empty() {
        return Some(((name, value), None));
    }
    Some(((name, value), Some(after.strip_prefix(';')?)))
}

/// Where a quoted text ends, stepping over what a backslash escapes.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}
