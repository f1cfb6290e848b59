//! What is read of Envoy's words and of a route's configuration.

use std::collections::BTreeMap;

use turnpike_proto::ext_authz::{
    core::{Address, SocketAddress},
    v3::{
        AttributeContext,
        attribute_context::{HttpRequest, Peer, Request},
    },
};

use super::{
    question::{Configured, Question},
    wire::{Told, client},
};
use crate::proxy::{reject::Refusal, ruling::Thing};

const CHAT: &str = r#"{"model": "gpt-4o", "messages": []}"#;

fn told(method: &str, path: &str, body: &str, extensions: &[(&str, &str)], more: &[(&str, &str)]) -> Told {
    let mut headers: BTreeMap<String, String> = [
        (":method", method),
        (":path", path),
        ("content-type", "application/json"),
        ("x-turnpike-action", "spoofed"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    headers.extend(owned(more));
    let http = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        raw_body: body.as_bytes().to_vec(),
        ..HttpRequest::default()
    };
    let attributes = AttributeContext {
        request: Some(Request { http: Some(http) }),
        context_extensions: owned(extensions).collect(),
        ..AttributeContext::default()
    };
    Told::of(attributes).ok().unwrap()
}

fn owned<'p>(pairs: &'p [(&str, &str)]) -> impl Iterator<Item = (String, String)> + 'p {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// The action, and what it is about.
fn asked(told: &Told) -> Result<(String, String), Refusal> {
    let configured = Configured::read(&told.extensions)?;
    let question = Question::of(told, &configured)?;
    let about = match question.thing() {
        Thing::Model { requested, provider } => format!("{requested} of {provider:?}"),
        Thing::Other(resource) => format!("{}:{}", resource.kind, resource.name),
    };
    Ok((question.action.to_string(), about))
}

#[test]
fn the_configuration_the_path_and_the_body_say_what_is_asked_and_no_header_does() {
    let images = [("content-type", "multipart/form-data; boundary=b")];
    let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndall-e\r\n--b--\r\n";
    for (told, action, about) in [
        (
            told("POST", "/v1/chat/completions?x=1", CHAT, &[], &[]),
            "inference.chat",
            "gpt-4o of None",
        ),
        (
            told("POST", "/v1/images/edits", form, &[], &images),
            "inference.images",
            "dall-e of None",
        ),
        (
            told("POST", "/openai/deployments/gpt-4o/embeddings", "{}", &[], &[]),
            "inference.embeddings",
            "gpt-4o of None",
        ),
        (told("GET", "/v1/models", "", &[], &[]), "models.list", "model:*"),
        (
            told("GET", "/v1/models/a%2Fb", "", &[], &[]),
            "models.list",
            "a/b of None",
        ),
        (
            told(
                "DELETE",
                "/x",
                "",
                &[("action", "prompts.edit"), ("resource", "prompt:welcome")],
                &[],
            ),
            "prompts.edit",
            "prompt:welcome",
        ),
        (
            told(
                "POST",
                "/x",
                "",
                &[("action", "a.b"), ("model", "m"), ("provider", "p")],
                &[],
            ),
            "a.b",
            "m of Some(\"p\")",
        ),
        (
            told("POST", "/own/path", CHAT, &[("action", "inference.chat")], &[]),
            "inference.chat",
            "gpt-4o of None",
        ),
    ] {
        assert_eq!(asked(&told).unwrap(), (action.to_owned(), about.to_owned()));
    }
}

#[test]
fn what_is_not_known_cut_off_or_configured_in_two_ways_is_refused() {
    for (told, status) in [
        (told("POST", "/unheard/of", CHAT, &[], &[]), 404),
        (told("GET", "/v1/chat/completions", "", &[], &[]), 405),
        (told("POST", "/access/v1/evaluation", "{}", &[], &[]), 404),
        (told("GET", "/authz", "", &[], &[]), 404),
        (told("POST", "/v1/chat/completions", "", &[], &[]), 400),
        (
            told(
                "POST",
                "/v1/chat/completions",
                CHAT,
                &[],
                &[("x-envoy-auth-partial-body", "true")],
            ),
            413,
        ),
        (
            told(
                "POST",
                "/v1/chat/completions",
                CHAT,
                &[],
                &[("content-length", "5000")],
            ),
            413,
        ),
        (
            told("POST", "/x", "", &[("resource", "prompt:welcome")], &[]),
            400,
        ),
        (
            told(
                "POST",
                "/x",
                "",
                &[("action", "a"), ("resource", "prompt:x"), ("model", "m")],
                &[],
            ),
            400,
        ),
        (
            told("POST", "/x", "", &[("action", "a"), ("unheard", "of")], &[]),
            400,
        ),
        (told("POST", "/x", "", &[("credential", "maybe")], &[]), 400),
    ] {
        let refused = asked(&told).unwrap_err();
        assert_eq!(refused.status().as_u16(), status, "{} {refused:?}", told.head.uri);
    }
}

#[test]
fn the_client_is_whom_envoy_names_and_what_is_no_request_is_none() {
    let address = |address: &str| AttributeContext {
        source: Some(Peer {
            address: Some(Address {
                socket_address: Some(SocketAddress {
                    address: address.to_owned(),
                }),
            }),
        }),
        ..AttributeContext::default()
    };
    assert_eq!(
        client(&address("::ffff:192.0.2.1")).unwrap().to_string(),
        "192.0.2.1"
    );
    assert_eq!(client(&address("/run/socket")), None);
    assert!(Told::of(AttributeContext::default()).is_err());
}
