//! The only changes that the edge makes to a body: another model, and the wish for usage. All other bytes stay.

use std::ops::Range;

use super::{Model, Scan};

const ASK: &[u8] = br#""include_usage":true"#;

/// The body with another model and, where `ask_usage`, with `stream_options.include_usage` set.
/// `scan` is what was found in this same body.
pub fn splice(body: &[u8], scan: &Scan<'_>, model: Option<&str>, ask_usage: bool) -> Vec<u8> {
    let mut edits: [Option<(Range<usize>, Vec<u8>)>; 2] = [None, None];
    if let (Some(name), Some(old)) = (model, &scan.model) {
        let quoted = serde_json::to_vec(name).unwrap_or_default();
        edits[0] = Some((old.span.clone(), quoted));
    }
    if ask_usage && !scan.include_usage {
        edits[1] = Some(wish(scan));
    }
    edits.sort_by_key(|edit| edit.as_ref().map_or(usize::MAX, |(span, _)| span.start));
    apply(body, edits.iter().flatten())
}

/// The form with another model.
pub fn splice_form(body: &[u8], old: &Model<'_>, name: &str) -> Vec<u8> {
    apply(body, [&(old.span.clone(), name.as_bytes().to_vec())])
}

fn wish(scan: &Scan<'_>) -> (Range<usize>, Vec<u8>) {
    let object = [b"{".as_slice(), ASK, b"}"].concat();
    let Some(options) = &scan.stream_options else {
        let comma: &[u8] = if scan.empty { b"" } else { b"," };
        return (
            scan.start..scan.start,
            [br#""stream_options":"#.as_slice(), &object, comma].concat(),
        );
    };
    if let Some(value) = &options.include_usage {
        return (value.clone(), b"true".to_vec());
    }
    if options.null {
        return (options.span.clone(), object);
    }
    let inside = options.span.start + 1;
    let comma: &[u8] = if options.empty { b"" } else { b"," };
    (inside..inside, [ASK, comma].concat())
}

fn apply<'e>(body: &[u8], edits: impl IntoIterator<Item = &'e (Range<usize>, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut from = 0;
    for (span, new) in edits {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(new);
        from = span.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    out
}
