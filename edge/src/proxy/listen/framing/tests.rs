//! What is found in a connection's bytes, however they are cut.

use proptest::prelude::*;

use super::Framing;

const PLAIN: &str = "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd";
const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-type: text/plain\r\n\r\n\
    32;x=y\r\n\r\n\r\nA / B\r\ncontent-length: 1\r\ntransfer-encoding: x\r\n0\r\n\
    content-length: 1\r\ntransfer-encoding: x\r\n\r\n";
/// A body that reads like heads.
const DECEPTIVE: &str = "POST / HTTP/1.1\r\nCONTENT-LENGTH: 89\r\n\r\n\
    \r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
const AMBIGUOUS: &str =
    "POST /v1/messages HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Reads the bytes in pieces of the sizes given, over and over.
fn read(text: &str, sizes: &[usize]) -> (Option<u32>, Framing) {
    let mut framing = Framing::default();
    let mut rest = text.as_bytes();
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        if let Some(number) = framing.read(piece) {
            return (Some(number), framing);
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    (None, framing)
}

#[test]
fn every_pair_of_headers_that_say_where_the_body_ends_is_found() {
    for pair in [
        "content-length: 1\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\nhost: a\r\ncontent-length: 1",
        "content-length: 1\r\nContent-Length: 1",
        "content-length: 1\nCONTENT-LENGTH: 2",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    ] {
        let text = format!("POST / HTTP/1.1\r\nhost: a\r\n{pair}\r\n\r\n");
        assert_eq!(read(&text, &[usize::MAX]).0, Some(1), "{pair}");
    }
}

#[test]
fn headers_that_only_look_alike_are_let_be() {
    let text = "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length-x: 1\r\nx-content-length: 1\r\n\
        content-lengt: 1\r\ntransfer-encodings: 1\r\nt: transfer-encoding:\r\nc\r\n\r\nx";
    assert_eq!(read(text, &[usize::MAX]).0, None);
}

#[test]
fn nothing_is_looked_for_in_http2() {
    let text = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{AMBIGUOUS}");
    let (found, framing) = read(&text, &[5]);
    assert!(found.is_none() && framing.is_http2());
}

proptest! {
    #[test]
    fn a_head_is_found_where_it_begins_behind_any_bodies_however_the_bytes_are_cut(
        before in prop::collection::vec(prop::sample::select(vec![PLAIN, CHUNKED, DECEPTIVE]), 0..6),
        sizes in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let legitimate = before.concat();
        prop_assert_eq!(read(&legitimate, &sizes).0, None);
        let (found, framing) = read(&(legitimate + AMBIGUOUS), &sizes);
        prop_assert_eq!(found, u32::try_from(before.len() + 1).ok());
        prop_assert_eq!(framing.path(), "/v1/messages");
    }
}
