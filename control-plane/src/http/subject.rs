//! Whom a new token is to speak for, and what it is given for: a key, or another issuer's token.

use std::sync::Arc;

use turnpike_access::{
    authenticate::Caller,
    credential::PresentedKey,
    id::{Name, Principal, Timestamp},
    snapshot::Group,
    token::{GivenFor, VerifiedToken, admit},
};
use turnpike_runtime::clock;

use super::{Web, client::key_of, refusal::Refusal};
use crate::{just_in_time, prove};

/// Whom a new token speaks for.
pub(super) struct Subject {
    pub(super) tenant: Name,
    pub(super) principal: Principal,
    pub(super) groups: Vec<Group>,
    pub(super) given_for: GivenFor,
    /// `client_id`: the key's, or the issuer's name.
    pub(super) client: Arc<str>,
    /// The end of what it is given for; it does not outlive that.
    pub(super) ends: Option<Timestamp>,
}

impl Subject {
    /// Of a caller who proved itself with a key.
    pub(super) fn of_key(caller: &Caller<'_>) -> Option<Self> {
        let credential = caller.credential?;
        Some(Self {
            tenant: caller.tenant.name().clone(),
            principal: caller.principal.clone(),
            groups: Vec::new(),
            given_for: GivenFor::Credential(credential.id),
            client: Arc::from(credential.id.to_string()),
            ends: credential.end(&caller.tenant.settings().credentials),
        })
    }

    fn of_token(caller: &Caller<'_>, token: &VerifiedToken) -> Self {
        Self {
            tenant: token.tenant.clone(),
            principal: caller.principal.clone(),
            groups: token.groups.clone(),
            given_for: GivenFor::Token {
                issuer: token.issuer.clone(),
                subject: token.subject.clone(),
                id: token.id.clone(),
                issued: token.issued,
            },
            client: Arc::from(token.issuer.as_str()),
            ends: Some(token.expires),
        }
    }
}

/// The subject of a `subject_token`. A user just in time is recorded first, so that the token has an account.
///
/// # Errors
/// It is not accepted, or the issuer cannot be asked now.
pub(super) async fn exchanged(web: &Web, text: &str) -> Result<Subject, Refusal> {
    let (snapshot, now) = (web.executor.snapshot(), clock::now());
    if PresentedKey::parse(text).is_ok() {
        let caller = key_of(web, &snapshot, text, now).map_err(|_| Refusal::subject())?;
        return Subject::of_key(&caller).ok_or_else(Refusal::subject);
    }
    let token = prove::verified(&web.tokens, &snapshot, text, None).await;
    let token = token.map_err(|failure| match failure.is_unavailable() {
        true => Refusal::later("the issuer of the subject token cannot be asked"),
        false => Refusal::subject(),
    })?;
    if token.issuer == Name::turnpike() {
        // Whoever revokes a token by its id means all that came of it.
        return Err(Refusal::request(
            "a token of Turnpike's own is not exchanged again; present what it was given for",
        ));
    }
    let caller = admit(&snapshot, &token, now).map_err(|_| Refusal::subject())?;
    if caller.account.is_none() {
        just_in_time::record(&web.executor, &token).await.map_err(|error| {
            tracing::warn!(%error, principal = %caller.principal, "a user could not be recorded just in time");
            Refusal::later("the user could not be recorded; try again")
        })?;
    }
    let snapshot = web.executor.snapshot();
    let caller = admit(&snapshot, &token, now).map_err(|_| Refusal::subject())?;
    Ok(Subject::of_token(&caller, &token))
}
