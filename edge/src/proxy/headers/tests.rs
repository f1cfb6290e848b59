//! Headers: which credential is presented, and what passes in either direction.

use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_credential_is_found_in_each_of_its_headers() {
    for pair in [
        ("authorization", "Bearer tp_x"),
        ("authorization", "bearer  tp_x"),
        ("x-api-key", "tp_x"),
        ("api-key", "tp_x"),
        ("x-goog-api-key", "tp_x"),
    ] {
        assert_eq!(credential(&map(&[pair])), Ok(Some("tp_x")), "{pair:?}");
    }
    assert_eq!(credential(&map(&[("accept", "*/*")])), Ok(None));
}

#[test]
fn the_same_credential_in_two_headers_is_one_and_two_that_differ_conflict() {
    assert_eq!(
        credential(&map(&[("authorization", "Bearer a"), ("x-api-key", "a")])),
        Ok(Some("a"))
    );
    let differing = map(&[("authorization", "Bearer a"), ("api-key", "b")]);
    assert_eq!(credential(&differing), Err(CredentialError::Conflicting));
}

#[test]
fn a_repeated_identity_header_is_refused_even_if_equal() {
    let twice = map(&[("x-api-key", "a"), ("x-api-key", "a")]);
    assert_eq!(credential(&twice), Err(CredentialError::Repeated));
}

#[test]
fn what_is_no_bearer_token_is_malformed() {
    for value in [
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "",
        "tp_x",
        "Bearer a,Bearer b\u{9}",
    ] {
        let headers = map(&[("authorization", value)]);
        assert_eq!(credential(&headers), Err(CredentialError::Malformed), "{value}");
    }
}

#[test]
fn a_request_is_stripped_of_hops_credentials_and_our_own_headers() {
    let mut headers = map(&[
        ("connection", "keep-alive, X-Private"),
        ("connection", "x-other"),
        ("x-private", "1"),
        ("x-other", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("proxy-authorization", "Basic x"),
        ("authorization", "Bearer a"),
        ("x-api-key", "a"),
        ("api-key", "a"),
        ("x-goog-api-key", "a"),
        ("cookie", "a=b"),
        ("x-turnpike-provider", "p"),
        ("x-turnpike-invented", "p"),
        ("host", "edge"),
        ("content-length", "2"),
        ("accept-encoding", "gzip"),
        ("anthropic-beta", "tools"),
        ("openai-organization", "org"),
        ("content-type", "application/json"),
        ("traceparent", "00-1-2-01"),
    ]);
    prepare_request(&mut headers);
    let expected = [
        "accept-encoding",
        "anthropic-beta",
        "content-type",
        "openai-organization",
        "traceparent",
    ];
    assert_eq!(names(&headers), expected);
    assert_eq!(headers.get("accept-encoding").unwrap(), "identity");
}

#[test]
fn a_response_keeps_what_clients_need_and_renames_what_is_the_providers() {
    let mut headers = map(&[
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("x-request-id", "req_1"),
        ("x-ratelimit-limit-requests", "10"),
        ("anthropic-ratelimit-tokens-remaining", "5"),
        ("retry-after", "3"),
        ("set-cookie", "__cf_bm=1"),
        ("set-cookie", "other=1"),
        ("alt-svc", "h3"),
        ("x-turnpike-decision", "forged"),
        ("content-type", "application/json"),
    ]);
    prepare_response(&mut headers);
    let expected = [
        "content-type",
        "retry-after",
        "x-upstream-anthropic-ratelimit-tokens-remaining",
        "x-upstream-ratelimit-limit-requests",
        "x-upstream-request-id",
    ];
    assert_eq!(names(&headers), expected);
    assert_eq!(headers.get(UPSTREAM_REQUEST_ID).unwrap(), "req_1");
}

#[test]
fn a_body_whose_length_is_told_twice_is_refused() {
    assert_eq!(check_length(&map(&[("content-length", "1")])), Ok(()));
    assert_eq!(check_length(&map(&[("transfer-encoding", "chunked")])), Ok(()));
    let both = map(&[("content-length", "1"), ("transfer-encoding", "chunked")]);
    assert_eq!(check_length(&both), Err(AmbiguousLength));
    let twice = map(&[("content-length", "1"), ("content-length", "1")]);
    assert_eq!(check_length(&twice), Err(AmbiguousLength));
}
