//! Between Envoy's messages and what the edge makes of a request.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request::Parts};
use prost_types::{Struct, Value, value::Kind};
use turnpike_proto::ext_authz::{
    core::{HeaderValue as WireHeader, HeaderValueOption, header_value_option::HeaderAppendAction},
    http::HttpStatus,
    rpc::Status,
    v3::{AttributeContext, CheckResponse, DeniedHttpResponse, OkHttpResponse, check_response::HttpResponse},
};

use crate::proxy::{
    handle::{DECISION, POSITION},
    headers,
    reject::Refusal,
    state::RequestId,
};

/// gRPC's numbers, of which Envoy looks at whether it is 0.
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// A request as Envoy tells of it.
pub(super) struct Told {
    pub(super) head: Parts,
    pub(super) body: Vec<u8>,
    /// What the route's configuration says.
    pub(super) extensions: BTreeMap<String, String>,
}

/// A request that may go on.
pub(super) struct Passed {
    pub(super) position: u64,
    /// What the upstream may know; what is `None` must not reach it as the client wrote it.
    pub(super) identity: [(HeaderName, Option<Arc<str>>); 4],
    pub(super) remove_credential: bool,
}

/// The client's address, as Envoy has found it out.
pub(super) fn client(attributes: &AttributeContext) -> Option<IpAddr> {
    let address = attributes.source.as_ref()?.address.as_ref()?;
    let address: IpAddr = address.socket_address.as_ref()?.address.parse().ok()?;
    Some(address.to_canonical())
}

impl Told {
    pub(super) fn of(attributes: AttributeContext) -> Result<Self, Refusal> {
        let malformed = || Refusal::Malformed("The request is not valid HTTP.".into());
        let http = attributes
            .request
            .and_then(|request| request.http)
            .ok_or_else(malformed)?;
        let mut request = Request::builder().method(http.method.as_str()).uri(http.path);
        for (name, value) in http.headers.iter().filter(|(name, _)| !name.starts_with(':')) {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).map_err(|_| malformed())?.into_parts();
        let body = match http.raw_body.is_empty() {
            true => http.body.into_bytes(),
            false => http.raw_body,
        };
        Ok(Self {
            head,
            body,
            extensions: attributes.context_extensions,
        })
    }
}

/// Lets the request go on, with who it is in place of what the client says of itself.
pub(super) fn ok(passed: Passed) -> CheckResponse {
    let Passed {
        position,
        identity,
        remove_credential,
    } = passed;
    let mut facts = BTreeMap::new();
    let mut headers = vec![set(&POSITION, position.to_string())];
    let mut headers_to_remove = Vec::new();
    for (name, text) in identity {
        match text {
            Some(text) => {
                let fact = name.as_str().trim_start_matches("x-turnpike-").to_owned();
                facts.insert(fact, text.to_string());
                headers.push(set(&name, text.to_string()));
            }
            None => headers_to_remove.push(name.to_string()),
        }
    }
    if remove_credential {
        headers_to_remove.extend(headers::CREDENTIALS.iter().map(ToString::to_string));
    }
    let response_headers_to_add = headers
        .iter()
        .filter(|one| {
            one.header
                .as_ref()
                .is_some_and(|header| header.key == DECISION.as_str())
        })
        .cloned()
        .collect();
    CheckResponse {
        status: Some(status(OK)),
        http_response: Some(HttpResponse::OkResponse(OkHttpResponse {
            headers,
            headers_to_remove,
            response_headers_to_add,
        })),
        dynamic_metadata: Some(metadata(true, facts)),
    }
}

/// Answers the client in Envoy's place, as the edge itself would.
pub(super) fn denied(response: Response<Bytes>, reason: &str, id: &RequestId) -> CheckResponse {
    let code = match response.status() {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        _ => PERMISSION_DENIED,
    };
    let facts = [("decision", id.decision()), ("reason", reason.to_owned())];
    let facts = facts.into_iter().map(|(name, text)| (name.to_owned(), text));
    let facts = facts.collect();
    CheckResponse {
        status: Some(status(code)),
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus {
                code: response.status().as_u16().into(),
            }),
            headers: all(response.headers()),
            body: String::from_utf8_lossy(response.body()).into_owned(),
        })),
        dynamic_metadata: Some(metadata(false, facts)),
    }
}

fn all(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let pairs = headers
        .iter()
        .filter_map(|(name, value)| Some((name, text(value)?)));
    pairs.map(|(name, text)| set(name, text)).collect()
}

fn set(name: &HeaderName, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(WireHeader {
            key: name.as_str().to_owned(),
            value,
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn status(code: i32) -> Status {
    Status {
        code,
        message: String::new(),
    }
}

/// Under `envoy.filters.http.ext_authz`, for access logs.
fn metadata(allowed: bool, facts: BTreeMap<String, String>) -> Struct {
    let value = |kind| Value { kind: Some(kind) };
    let texts = facts
        .into_iter()
        .map(|(name, text)| (name, value(Kind::StringValue(text))));
    let mut fields: BTreeMap<String, Value> = texts.collect();
    fields.insert("allowed".to_owned(), value(Kind::BoolValue(allowed)));
    Struct { fields }
}
