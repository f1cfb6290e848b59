//! Which issuer a token is of: by its own words, which decide only whose keys it must stand before.

use serde_json::Value;
use turnpike_access::{
    issuer::Verification,
    jws::{Jws, TOKEN_LIMIT},
    snapshot::Snapshot,
};

use super::{
    PendingKind, TokenFailure,
    claims::{Trusted, intersects},
    remember::Epoch,
};

pub(super) fn pick(
    snapshot: &Snapshot,
    text: &str,
    hint: Option<&str>,
    own: &Epoch,
) -> Result<PendingKind, TokenFailure> {
    if text.is_empty() || text.len() > TOKEN_LIMIT || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenFailure::Malformed);
    }
    // What is meant as a JWT is never shown to anybody as an opaque token, whatever is wrong with it.
    if Jws::is_meant(text) {
        signed(snapshot, text, hint, own)
    } else {
        opaque(snapshot, hint)
    }
}

fn signed(
    snapshot: &Snapshot,
    text: &str,
    hint: Option<&str>,
    own: &Epoch,
) -> Result<PendingKind, TokenFailure> {
    let since = own.now();
    let jws = Jws::parse(text)?;
    let claims = jws.claims()?;
    let header = jws.header;
    let url = claims
        .get("iss")
        .and_then(Value::as_str)
        .ok_or(TokenFailure::Claim)?;
    let ours = |key: &&_| is_own(key, url, header.key.as_deref());
    if let Some(key) = snapshot.token_keys().iter().find(ours) {
        return Ok(PendingKind::Own {
            key: key.clone(),
            header,
            claims,
            since,
        });
    }
    let here = |tenant: &str| hint.is_none_or(|hint| hint == tenant);
    let mut candidates = snapshot
        .issuers_at(url)
        .filter(|(tenant, _)| here(tenant.name().as_str()))
        .peekable();
    candidates.peek().ok_or(TokenFailure::IssuerUnknown)?;
    let mut meant = candidates.filter(|(_, issuer)| intersects(&issuer.profile, claims.get("aud")));
    let (tenant, issuer) = meant.next().ok_or(TokenFailure::Audience)?;
    if meant.next().is_some() {
        return Err(TokenFailure::IssuerAmbiguous);
    }
    let trusted = Trusted {
        tenant: tenant.name().clone(),
        issuer: issuer.clone(),
    };
    drop(meant);
    match trusted.profile().verification {
        Verification::Introspection { .. } => Ok(PendingKind::Opaque { trusted }),
        _ => Ok(PendingKind::Jwt {
            trusted,
            header,
            claims,
        }),
    }
}

fn is_own(key: &turnpike_access::issuer::TokenKey, url: &str, id: Option<&str>) -> bool {
    *key.issuer == *url && id == Some(&key.id)
}

/// An opaque token says nothing of where it is from. It is never shown to another tenant's issuer.
fn opaque(snapshot: &Snapshot, hint: Option<&str>) -> Result<PendingKind, TokenFailure> {
    let tenant = match hint {
        Some(hint) => snapshot.tenant(hint).ok_or(TokenFailure::IssuerUnknown)?,
        None => snapshot.only_tenant().ok_or(TokenFailure::IssuerAmbiguous)?,
    };
    let issuers = tenant.issuers();
    let mut asked = issuers
        .into_iter()
        .filter(|issuer| matches!(issuer.profile.verification, Verification::Introspection { .. }));
    let issuer = asked.next().ok_or(TokenFailure::IssuerUnknown)?;
    if asked.next().is_some() {
        return Err(TokenFailure::IssuerAmbiguous);
    }
    Ok(PendingKind::Opaque {
        trusted: Trusted {
            tenant: tenant.name().clone(),
            issuer: issuer.clone(),
        },
    })
}
