//! `POST /oauth/token`: a short-lived token for a key (RFC 6749, section 4.4) or for another token (RFC 8693).

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use turnpike_access::credential::KeyKind;
use turnpike_runtime::clock;

use super::{
    Late, Web,
    client::Presented,
    form::Form,
    refusal::Refusal,
    scope,
    sign::{Asked, sign},
    subject::{Subject, exchanged},
};

/// For keys.
pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";
/// For tokens, and keys too.
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The longest body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// What a body must be.
const FORM: &str = "application/x-www-form-urlencoded";

/// Answers with a token, or says why not.
pub(super) async fn issue(State(late): State<Late>, request: Request) -> Response {
    match answer(&late, request).await {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(late: &Late, request: Request) -> Result<Value, Refusal> {
    let web = late.get().ok_or_else(Refusal::starting)?;
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(FORM) {
        return Err(Refusal::request(format!("the content type must be {FORM}")));
    }
    let body = to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| Refusal::too_large())?;
    let form = Form::parse(&body)?;
    match form.required("grant_type")? {
        CLIENT_CREDENTIALS => for_key(web, &parts.headers, &form).await,
        TOKEN_EXCHANGE => for_token(web, &parts.headers, &form).await,
        _ => Err(Refusal::grant_type()),
    }
}

/// RFC 6749, section 4.4: a virtual account's key.
async fn for_key(web: &Web, headers: &HeaderMap, form: &Form) -> Result<Value, Refusal> {
    let (snapshot, now) = (web.executor.snapshot(), clock::now());
    let presented = Presented::read(headers, form)?.ok_or_else(Refusal::client)?;
    let caller = presented.prove(web, &snapshot, now)?;
    if KeyKind::of(caller.principal) != KeyKind::VirtualAccount {
        return Err(Refusal::unauthorized(
            "client_credentials is for virtual accounts; exchange a personal access token as a subject_token",
        ));
    }
    let subject = Subject::of_key(&caller).ok_or_else(Refusal::client)?;
    let signed = sign(web, &snapshot, subject, Asked::read(form)?, now).await?;
    Ok(signed.answer())
}

/// RFC 8693: another issuer's token, or a key.
async fn for_token(web: &Web, headers: &HeaderMap, form: &Form) -> Result<Value, Refusal> {
    if form.get("actor_token").is_some() {
        return Err(Refusal::request("actor_token is not supported"));
    }
    let wanted = form.get("requested_token_type").unwrap_or(ACCESS_TOKEN);
    if ![ACCESS_TOKEN, JWT].contains(&wanted) {
        return Err(Refusal::request("requested_token_type is not supported"));
    }
    form.required("subject_token_type")?;
    let asked = Asked::read(form)?;
    // The subject token is proof enough; a client that authenticates as well must be one.
    if let Some(presented) = Presented::read(headers, form)? {
        presented.prove(web, &web.executor.snapshot(), clock::now())?;
    }
    let subject = exchanged(web, form.required("subject_token")?).await?;
    let signed = sign(web, &web.executor.snapshot(), subject, asked, clock::now()).await?;
    let mut answer = signed.answer();
    if let Some(members) = answer.as_object_mut() {
        members.insert("issued_token_type".to_owned(), json!(wanted));
    }
    Ok(answer)
}

impl super::sign::Signed {
    fn answer(self) -> Value {
        let mut answer = json!({
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        });
        if let (Some(scope), Some(members)) = (&self.scope, answer.as_object_mut()) {
            members.insert("scope".to_owned(), json!(scope::write(scope)));
        }
        answer
    }
}
