//! Proving a token: verified once and remembered, its user recorded where it is one that is known just in time.
//!
//! Whether it opens anything now is for [`turnpike_access::token::admit`] to say, each time.

use std::sync::Arc;

use turnpike_access::{
    snapshot::Snapshot,
    token::{Bearer, VerifiedToken},
};
use turnpike_runtime::{
    clock,
    token::{TokenFailure, Tokens},
};

/// What all of Turnpike's keys begin with. Nothing that does is shown to an issuer, however it goes on.
const KEY_PREFIX: &str = "tp_";

/// Verifies a token, or finds that it was. `hint` names the tenant where several have an issuer that could be meant.
///
/// # Errors
/// It is not good, or nobody could say.
pub(crate) async fn verified(
    tokens: &Tokens,
    snapshot: &Snapshot,
    text: &str,
    hint: Option<&str>,
) -> Result<Arc<VerifiedToken>, TokenFailure> {
    if text.starts_with(KEY_PREFIX) {
        return Err(TokenFailure::Malformed);
    }
    let now = clock::now();
    if let Some(token) = tokens.remembered(text, now) {
        if is_current(snapshot, &token) {
            return Ok(token);
        }
        tokens.forget(text);
    }
    let pending = match (tokens.prepare(snapshot, text, None), hint) {
        (Err(TokenFailure::IssuerAmbiguous), Some(_)) => tokens.prepare(snapshot, text, hint)?,
        (prepared, _) => prepared?,
    };
    // The first time for a token; boxed, so that no other call carries the room that it takes.
    Box::pin(tokens.verify(pending, now)).await
}

/// Whether the issuer is the same still that vouched for the token.
fn is_current(snapshot: &Snapshot, token: &VerifiedToken) -> bool {
    let Bearer::Foreign { revision, .. } = &token.bearer else {
        return true;
    };
    let tenant = snapshot.tenant(token.tenant.as_str());
    let issuer = tenant.and_then(|tenant| tenant.issuer(token.issuer.as_str()));
    issuer.is_some_and(|issuer| issuer.revision == *revision)
}
