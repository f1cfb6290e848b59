//! The field `model` of a `multipart/form-data` body (RFC 7578), read strictly: readers of forms differ a great
//! deal, so whatever is not plain is refused.

use std::borrow::Cow;

use memchr::memmem;

use super::{BodyError, MAX_MODEL, Model, keys::same_folded};

mod parameters;
#[cfg(test)]
mod tests;

use parameters::parameters;

/// Most parts of a form.
pub const MAX_PARTS: usize = 256;
/// Longest head of a part, in bytes.
pub const MAX_HEAD: usize = 8192;

/// The boundary that a `content-type` names, `None` where it is not `multipart/form-data` with one proper boundary.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (media_type, rest) = content_type.split_once(';')?;
    if !media_type
        .trim_ascii()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let mut found = None;
    for parameter in parameters(rest) {
        let (name, value) = parameter?;
        if name.eq_ignore_ascii_case("boundary") {
            if found.is_some() {
                return None;
            }
            found = Some(value);
        } else if same_folded(name.split('*').next()?, "boundary") {
            return None;
        }
    }
    found.filter(|text| is_boundary(text))
}

/// RFC 2046, section 5.1.1.
fn is_boundary(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&text.len()) && text.bytes().all(allowed) && !text.ends_with(' ')
}

/// Finds the model in a form, `None` where it has no such field.
pub fn find_model<'b>(body: &'b [u8], boundary: &str) -> Result<Option<Model<'b>>, BodyError> {
    if body.is_empty() {
        return Err(BodyError::Empty);
    }
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let first = delimiter.get(2..).unwrap_or_default().as_bytes();
    let mut rest = body
        .strip_prefix(first)
        .ok_or(BodyError::Form("it does not begin with its boundary"))?;
    let mut model = None;
    for _ in 0..MAX_PARTS {
        if matches!(rest, b"--" | b"--\r\n") {
            return Ok(model);
        }
        let part = rest
            .strip_prefix(b"\r\n")
            .ok_or(BodyError::Form("a boundary is not on a line of its own"))?;
        // Searched from the line end before, so that a part without content is found too.
        let end = finder.find(part).ok_or(BodyError::Form("it breaks off"))?;
        let (part, after) = part
            .split_at_checked(end)
            .ok_or(BodyError::Form("it breaks off"))?;
        if let Some(value) = model_of(part)? {
            let start = value.as_ptr().addr().saturating_sub(body.as_ptr().addr());
            let found = Model {
                name: Cow::Borrowed(value),
                span: start..start + value.len(),
            };
            if model.replace(found).is_some() {
                return Err(BodyError::Ambiguous("model"));
            }
        }
        rest = after.get(delimiter.len()..).unwrap_or_default();
    }
    Err(BodyError::Form("it has more than 256 parts"))
}

/// The value of a part, if it is the model.
fn model_of(part: &[u8]) -> Result<Option<&str>, BodyError> {
    let end = memmem::find(part, b"\r\n\r\n").ok_or(BodyError::Form("a part has no end of its head"))?;
    if end > MAX_HEAD {
        return Err(BodyError::Form("a part's head is longer than 8192 bytes"));
    }
    let (head, value) = part.split_at_checked(end).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| BodyError::NotUtf8)?;
    let head = Head::parse(head)?;
    if head.name == "_charset_" {
        return Err(BodyError::Form("it names a character set"));
    }
    if !same_folded(head.name, "model") {
        return Ok(None);
    }
    if head.name != "model" || !head.plain {
        return Err(BodyError::Ambiguous("model"));
    }
    let wrong = BodyError::WrongType("model", "a text of 1 to 256 bytes on one line");
    let value = std::str::from_utf8(value.get(4..).unwrap_or_default()).map_err(|_| BodyError::NotUtf8)?;
    let fits = (1..=MAX_MODEL).contains(&value.len()) && !value.chars().any(char::is_control);
    if fits { Ok(Some(value)) } else { Err(wrong) }
}

/// What a part's head says.
struct Head<'b> {
    name: &'b str,
    /// No file, no encoding, no character set but UTF-8.
    plain: bool,
}

impl<'b> Head<'b> {
    fn parse(head: &'b str) -> Result<Self, BodyError> {
        const BAD: BodyError = BodyError::Form("a part's head is not plain");
        let (mut name, mut plain) = (None, true);
        for line in head.split("\r\n") {
            let (header, value) = line.split_once(':').ok_or(BAD)?;
            let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if header.is_empty()
                || !header.bytes().all(token)
                || value.chars().any(|c| c.is_control() && c != '\t')
            {
                return Err(BAD);
            }
            if header.eq_ignore_ascii_case("content-disposition") {
                let (found, file) = disposition(value).ok_or(BAD)?;
                if name.replace(found).is_some() {
                    return Err(BAD);
                }
                plain &= !file;
            } else if header.eq_ignore_ascii_case("content-type") {
                let value = value.trim_ascii().to_ascii_lowercase();
                plain &= matches!(
                    value.as_str(),
                    "text/plain" | "text/plain; charset=utf-8" | "text/plain;charset=utf-8"
                );
            } else if header.eq_ignore_ascii_case("content-transfer-encoding") {
                plain = false;
            }
        }
        Ok(Self {
            name: name.ok_or(BAD)?,
            plain,
        })
    }
}

/// The name that a `content-disposition` gives, and whether it gives a file's name.
fn disposition(value: &str) -> Option<(&str, bool)> {
    let (kind, rest) = value.split_once(';')?;
    if !kind.trim_ascii().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file) = (None, false);
    for parameter in parameters(rest) {
        let (key, value) = parameter?;
        match key.to_ascii_lowercase().as_str() {
            "name" if name.is_none() && !value.contains(['%', '\\']) => name = Some(value),
            "filename" | "filename*" => file = true,
            // Above all `name*` and a second `name`.
            _ => return None,
        }
    }
    name.map(|name| (name, file))
}
