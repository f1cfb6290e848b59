//! What a request presents, and who that makes its caller.
//!
//! A key is looked up in the snapshot. A token is verified once, before the snapshot is loaded, and remembered; what it
//! opens is asked of the snapshot for every request.

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName};
use turnpike_access::{
    audit::TokenFacts,
    authenticate::{AuthFailure, Caller, authenticate},
    credential::PresentedKey,
    grant::AuthMethod,
    id::{Name, Timestamp},
    log::Position,
    snapshot::Snapshot,
    token::{self, Bearer, VerifiedToken},
};
use turnpike_runtime::token::TokenFailure;

use super::{
    fence::{self, Wanted},
    handle::{header, unavailable},
    headers::{self, CredentialError},
    judge::load,
    reject::Refusal,
    state::{POSITION_WAIT, State},
    ticket::Ticket,
};

/// Names the tenant whose issuer is asked about an opaque token.
const TENANT: HeaderName = HeaderName::from_static("x-turnpike-tenant");
/// Whoever has just changed something may ask to be judged by it.
const MIN_POSITION: HeaderName = HeaderName::from_static("x-turnpike-min-position");
/// What all of Turnpike's keys begin with. Nothing that does is shown to an issuer, however it goes on.
const KEY_PREFIX: &str = "tp_";

/// A credential as it came.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    Key(PresentedKey<'a>),
    /// Anything else that is well formed: a JWT, or an opaque token.
    Token(&'a str),
}

/// A credential that can be judged.
pub(super) enum Presented<'a> {
    Key(PresentedKey<'a>),
    Token(&'a str, Arc<VerifiedToken>),
}

impl<'a> Credential<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let malformed = || unauthenticated("credential_malformed");
        match headers::credential(headers) {
            Ok(Some(text)) if text.starts_with(KEY_PREFIX) => {
                PresentedKey::parse(text).map(Self::Key).map_err(|_| malformed())
            }
            Ok(Some(text)) => Ok(Self::Token(text)),
            Ok(None) => Err(unauthenticated("credential_missing")),
            Err(CredentialError::Malformed) => Err(malformed()),
            Err(CredentialError::Conflicting | CredentialError::Repeated) => {
                Err(Refusal::ConflictingCredentials)
            }
        }
    }

    /// What can be judged of it without asking anybody.
    pub(super) fn known(self, state: &State, now: Timestamp) -> Option<Presented<'a>> {
        match self {
            Self::Key(key) => Some(Presented::Key(key)),
            Self::Token(text) => {
                let token = state.tokens.remembered(text, now)?;
                Some(Presented::Token(text, token))
            }
        }
    }
}

/// The credential that a request presents, ready to be judged, if there is room to record what becomes of it.
pub(super) async fn present<'h>(
    state: &State,
    headers: &'h HeaderMap,
    now: Timestamp,
) -> Result<Presented<'h>, Refusal> {
    let credential = Credential::read(headers)?;
    if !state.audit.has_room() {
        return Err(unavailable("audit_full"));
    }
    await_position(state, headers).await?;
    match credential {
        Credential::Key(key) => Ok(Presented::Key(key)),
        Credential::Token(text) => verify(state, text, headers, now).await,
    }
}

/// `x-turnpike-min-position`: whoever has just changed something may ask to be judged by it.
async fn await_position(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(text) = headers.get(MIN_POSITION) else {
        return Ok(());
    };
    let number = text.to_str().ok().and_then(|text| text.parse().ok());
    let position = Position::new(number.ok_or(Refusal::Malformed(
        "x-turnpike-min-position must be a number.".into(),
    ))?);
    match Box::pin(state.current.wait_for(position, POSITION_WAIT)).await {
        true => Ok(()),
        false => Err(unavailable("position_not_reached")),
    }
}

/// Verifies a token, or finds that it was: its issuer may have to be asked.
pub(super) async fn verify<'a>(
    state: &State,
    text: &'a str,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Presented<'a>, Refusal> {
    if let Some(token) = state.tokens.remembered(text, now) {
        if !is_outdated(state, &token)? {
            return Ok(Presented::Token(text, token));
        }
        state.tokens.forget(text);
    }
    let pending = {
        let snapshot = load(state)?;
        state
            .tokens
            .prepare(&snapshot, text, header(headers, &TENANT))
            .map_err(refused)?
    };
    // The first time for a token; boxed, so that no other request carries the room that it takes.
    let token = Box::pin(state.tokens.verify(pending, now))
        .await
        .map_err(refused)?;
    Ok(Presented::Token(text, token))
}

/// Whether the issuer was changed since it vouched for the token.
fn is_outdated(state: &State, token: &VerifiedToken) -> Result<bool, Refusal> {
    let Bearer::Foreign { revision, .. } = &token.bearer else {
        return Ok(false);
    };
    let snapshot = load(state)?;
    let tenant = snapshot.tenant(token.tenant.as_str());
    let issuer = tenant.and_then(|tenant| tenant.issuer(token.issuer.as_str()));
    Ok(issuer.is_none_or(|issuer| issuer.revision != *revision))
}

/// Whether a token was refused because its issuer was changed while the request was under way.
pub(super) fn is_overtaken<T>(judged: &Result<T, Refusal>) -> bool {
    let reason = AuthFailure::IssuerChanged.as_str();
    matches!(judged, Err(Refusal::Unauthenticated { reason: found }) if *found == reason)
}

/// Who calls. A credential that was not proven genuine is attributed to nobody. Nobody is answered whose tenant is fenced.
pub(super) fn identify<'s>(
    state: &State,
    snapshot: &'s Snapshot,
    presented: &'s Presented<'_>,
    ticket: &mut Ticket,
) -> Result<Caller<'s>, Refusal> {
    identify_for(Wanted::Answer, state, snapshot, presented, ticket)
}

/// The same where a fence may spare what is wanted; then [`fence::check`] is to be asked again, once it is known.
pub(super) fn identify_for<'s>(
    wanted: Wanted<'_>,
    state: &State,
    snapshot: &'s Snapshot,
    presented: &'s Presented<'_>,
    ticket: &mut Ticket,
) -> Result<Caller<'s>, Refusal> {
    let begun = Instant::now();
    let (tenant, found) = match presented {
        Presented::Key(key) => by_key(state, snapshot, key, ticket, begun),
        Presented::Token(_, token) => by_token(state, snapshot, token, ticket, begun),
    };
    if let Some(tenant) = tenant.and_then(|name| snapshot.tenant(name.as_str())) {
        ticket.hold_to(tenant.settings().audit.mode);
    }
    // Whatever became of it: what a fenced edge believes of a credential may be over.
    match (&found, tenant.and_then(|name| snapshot.tenant(name.as_str()))) {
        (Ok(caller), _) => fence::check(state, caller.tenant, wanted)?,
        (Err(_), Some(tenant)) => fence::check(state, tenant, Wanted::Answer)?,
        (Err(_), None) => {}
    }
    found
}

fn by_key<'s>(
    state: &State,
    snapshot: &'s Snapshot,
    key: &PresentedKey<'_>,
    ticket: &mut Ticket,
    begun: Instant,
) -> (Option<&'s Name>, Result<Caller<'s>, Refusal>) {
    let found = authenticate(snapshot, key, &state.peppers, ticket.time());
    state.metrics.authenticated(begun.elapsed());
    let credential = match &found {
        Ok(caller) => caller.credential,
        Err(refused) => refused.credential,
    };
    ticket.note(|record| {
        record.credential = Some(key.id());
        record.auth_method = Some(Arc::from(AuthMethod::ApiKey.as_str()));
        record.tenant = credential.map(|held| held.tenant.shared());
        record.principal = credential.map(|held| Arc::from(held.owner.to_string()));
    });
    let found = found
        .inspect(|caller| note_team(ticket, caller))
        .map_err(|refused| unauthenticated(refused.failure.as_str()));
    (credential.map(|held| &held.tenant), found)
}

fn by_token<'s>(
    state: &State,
    snapshot: &'s Snapshot,
    token: &'s VerifiedToken,
    ticket: &mut Ticket,
    begun: Instant,
) -> (Option<&'s Name>, Result<Caller<'s>, Refusal>) {
    let found = token::admit(snapshot, token, ticket.time());
    state.metrics.authenticated(begun.elapsed());
    ticket.note(|record| {
        let caller = found.as_ref().ok();
        record.credential = caller.and_then(|caller| caller.credential).map(|held| held.id);
        record.auth_method = Some(Arc::from(token.method().as_str()));
        record.tenant = Some(token.tenant.shared());
        record.token = Some(Arc::new(TokenFacts::of(token)));
        record.principal = caller.map(|caller| Arc::from(caller.principal.to_string()));
    });
    let found = found
        .inspect(|caller| note_team(ticket, caller))
        .map_err(|failure| unauthenticated(failure.as_str()));
    (Some(&token.tenant), found)
}

/// A request counts for one team, so that sums over teams count it once.
fn note_team(ticket: &mut Ticket, caller: &Caller<'_>) {
    let team = caller.teams().first().map(|team| team.shared());
    ticket.note(|record| record.billing.team = team);
}

fn unauthenticated(reason: &'static str) -> Refusal {
    Refusal::Unauthenticated { reason }
}

/// That an issuer can't be asked says nothing about the caller.
fn refused(failure: TokenFailure) -> Refusal {
    match failure.is_unavailable() {
        true => Refusal::Unavailable {
            reason: failure.as_str(),
            retry_after: std::time::Duration::from_secs(1),
        },
        false => unauthenticated(failure.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn what_begins_like_a_key_is_never_taken_for_a_token_that_an_issuer_is_asked_about() {
        for (text, token) in [
            ("tp_pat_abcDEF123456_short_123456", false),
            ("tp_va_", false),
            ("tp_unheard_of", false),
            ("eyJhbGciOiJFUzI1NiJ9.e30.c2ln", true),
            ("TP_pat_abc", true),
            ("opaque", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
            match Credential::read(&headers) {
                Ok(Credential::Token(found)) => assert!(token && found == text, "{text}"),
                Ok(Credential::Key(_)) => panic!("{text} is no key"),
                Err(refusal) => assert_eq!(
                    (token, refusal.reason()),
                    (false, "credential_malformed"),
                    "{text}"
                ),
            }
        }
    }
}
