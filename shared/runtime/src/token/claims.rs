//! From the claims of a token whose signature or introspection was good to what it says, by the issuer's profile.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use turnpike_access::{
    grant::AuthMethod,
    id::{Name, Timestamp},
    issuer::{ClaimPath, Issuer, IssuerProfile, PrincipalRule},
    snapshot::Group,
    token::{Bearer, VerifiedToken},
};

use super::TokenFailure;

/// The longest text of a claim that is kept, in bytes.
const TEXT_LIMIT: usize = 256;
/// The most groups of a token.
const GROUPS_LIMIT: usize = 256;
/// Seconds beyond this are no date of ours: it is the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// An issuer that was picked for a token; nothing of the snapshot is borrowed.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    pub(super) tenant: Name,
    pub(super) issuer: Arc<Issuer>,
}

/// When a token was issued and when it ends, as far as it says.
struct Times {
    issued: Option<Timestamp>,
    /// With leeway.
    expires: Option<Timestamp>,
}

impl Trusted {
    pub(super) fn profile(&self) -> &IssuerProfile {
        &self.issuer.profile
    }

    /// What a JWT says. Its signature is good.
    pub(super) fn jwt(
        &self,
        kind: Option<&str>,
        claims: &Value,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenFailure> {
        let profile = self.profile();
        let kind_fits = match kind {
            Some("at+jwt") => true,
            Some("jwt") | None => !profile.access_tokens_only,
            // Made for something else (RFC 8725, section 3.11).
            Some(_) => false,
        };
        if !kind_fits {
            return Err(TokenFailure::Kind);
        }
        if claims.get("iss").and_then(Value::as_str) != Some(&profile.url) {
            return Err(TokenFailure::IssuerUnknown);
        }
        if !intersects(profile, claims.get("aud")) {
            return Err(TokenFailure::Audience);
        }
        let times = times(profile, claims, now)?;
        let expires = times.expires.ok_or(TokenFailure::Claim)?;
        self.token(AuthMethod::Jwt, claims, times.issued.unwrap_or(now), expires)
    }

    /// What the issuer answered about a token that is active (RFC 7662, section 2.2).
    pub(super) fn introspected(
        &self,
        answer: &Value,
        now: Timestamp,
        longest: Timestamp,
    ) -> Result<VerifiedToken, TokenFailure> {
        let profile = self.profile();
        if answer
            .get("iss")
            .is_some_and(|iss| iss.as_str() != Some(&profile.url))
        {
            return Err(TokenFailure::IssuerUnknown);
        }
        let meant = answer.get("aud").or_else(|| answer.get("client_id"));
        if !intersects(profile, meant) {
            return Err(TokenFailure::Audience);
        }
        let times = times(profile, answer, now)?;
        let expires = times.expires.map_or(longest, |expires| expires.min(longest));
        self.token(
            AuthMethod::OauthToken,
            answer,
            times.issued.unwrap_or(now),
            expires,
        )
    }

    fn token(
        &self,
        method: AuthMethod,
        claims: &Value,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<VerifiedToken, TokenFailure> {
        let profile = self.profile();
        if !profile.accept_sender_constrained && is_bound(claims) {
            return Err(TokenFailure::SenderConstrained);
        }
        required(profile, claims)?;
        let claim = principal(profile, claims)?;
        let subject = match text(claims, "sub")? {
            Some(subject) => Arc::from(subject),
            None => claim.clone(),
        };
        Ok(VerifiedToken {
            tenant: self.tenant.clone(),
            issuer: self.issuer.name.clone(),
            subject,
            id: text(claims, "jti")?.map(Arc::from),
            issued,
            expires,
            groups: groups(&self.issuer, claims)?,
            bearer: Bearer::Foreign {
                method,
                just_in_time: profile.newcomer(&claim),
                claim,
                revision: self.issuer.revision,
            },
        })
    }
}

/// Whether a token is good only in the hands of whoever proves to have a key (RFC 8705, RFC 9449): taken without the
/// proof, it would be worth as much to a thief. Introspection says it in `cnf`, and of DPoP in `token_type` too.
fn is_bound(claims: &Value) -> bool {
    let kind = claims.get("token_type").and_then(Value::as_str);
    claims.get("cnf").is_some() || kind.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"))
}

/// Whether `aud`, a text or several, holds an audience of the issuer.
pub(super) fn intersects(profile: &IssuerProfile, aud: Option<&Value>) -> bool {
    let ours = |one: &Value| {
        one.as_str()
            .is_some_and(|one| profile.audiences.iter().any(|own| **own == *one))
    };
    match aud {
        Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    }
}

fn times(profile: &IssuerProfile, claims: &Value, now: Timestamp) -> Result<Times, TokenFailure> {
    let leeway = i64::from(profile.leeway_seconds.min(turnpike_access::issuer::LONGEST_SKEW));
    let latest = now.plus_seconds(leeway);
    let issued = date(claims, "iat")?;
    let begins = date(claims, "nbf")?;
    let expires = date(claims, "exp")?.map(|expires| expires.plus_seconds(leeway));
    if expires.is_some_and(|expires| now >= expires) {
        return Err(TokenFailure::Expired);
    }
    if issued.is_some_and(|issued| issued > latest) || begins.is_some_and(|begins| begins > latest) {
        return Err(TokenFailure::NotYetValid);
    }
    Ok(Times { issued, expires })
}

/// A NumericDate (RFC 7519, section 2): a number, and nothing else.
pub(super) fn date(claims: &Value, name: &str) -> Result<Option<Timestamp>, TokenFailure> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value
        .as_i64()
        .filter(|seconds| (0..=LAST_SECOND).contains(seconds));
    if let Some(seconds) = seconds {
        return Ok(Some(Timestamp::from_micros(0).plus_seconds(seconds)));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "it is within the range"
    )]
    let micros = value
        .as_f64()
        .filter(|seconds| (0.0..=LAST_SECOND as f64).contains(seconds))
        .map(|seconds| (seconds * 1e6) as i64);
    micros
        .map(|micros| Some(Timestamp::from_micros(micros)))
        .ok_or(TokenFailure::Claim)
}

fn required(profile: &IssuerProfile, claims: &Value) -> Result<(), TokenFailure> {
    let holds = |path: &ClaimPath, texts: &[Arc<str>]| {
        let wanted = |text: &str| texts.iter().any(|one| **one == *text);
        match path.find(claims) {
            // Scopes stand in one text by their definition (RFC 8693, section 4.2); any other text is one value.
            Some(Value::String(text)) if matches!(path.as_str(), "scope" | "scp") => {
                text.split(' ').any(wanted)
            }
            Some(Value::String(text)) => wanted(text),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(wanted),
            _ => false,
        }
    };
    match profile.required.iter().all(|(path, texts)| holds(path, texts)) {
        true => Ok(()),
        false => Err(TokenFailure::Claim),
    }
}

/// The text of the claim that says who it is; an e-mail address in lower case.
fn principal(profile: &IssuerProfile, claims: &Value) -> Result<Arc<str>, TokenFailure> {
    let claim = profile.claim.find(claims).and_then(Value::as_str);
    let claim = claim.filter(|text| fits(text)).ok_or(TokenFailure::Claim)?;
    if !matches!(profile.principal, PrincipalRule::Email {}) {
        return Ok(Arc::from(claim));
    }
    if claims
        .get("email_verified")
        .is_some_and(|verified| *verified != Value::Bool(true))
    {
        return Err(TokenFailure::Claim);
    }
    // Of ASCII alone: no other letter may become one that somebody else's address is written with.
    Ok(Arc::from(claim.to_ascii_lowercase()))
}

/// The groups of a token. Too many, or left out by the issuer because of their number, is an end: a group that is
/// not seen may be one that is denied.
fn groups(issuer: &Issuer, claims: &Value) -> Result<Vec<Group>, TokenFailure> {
    let elsewhere = claims.get("_claim_names");
    let mut all = BTreeSet::new();
    for path in &issuer.profile.groups {
        if elsewhere.is_some_and(|names| names.get(path.as_str()).is_some()) {
            return Err(TokenFailure::Claim);
        }
        all.extend(path.texts(claims));
    }
    if all.len() > GROUPS_LIMIT || !all.iter().all(|group| fits(group)) {
        return Err(TokenFailure::Claim);
    }
    Ok(all
        .into_iter()
        .map(|group| (issuer.name.clone(), Arc::from(group)))
        .collect())
}

fn text<'c>(claims: &'c Value, name: &str) -> Result<Option<&'c str>, TokenFailure> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if fits(text) => Ok(Some(text)),
        Some(_) => Err(TokenFailure::Claim),
    }
}

fn fits(text: &str) -> bool {
    (1..=TEXT_LIMIT).contains(&text.len()) && !text.chars().any(char::is_control)
}
