//! Tokens whose signature or introspection was good: what they say, and whether that opens anything now.
//!
//! Verification happens once for a token and is remembered; [`admit`] is asked for every request, so that whatever
//! was revoked, deactivated or changed meanwhile counts.

use std::sync::Arc;

use crate::{
    authenticate::{AuthFailure, Caller, admit as admit_credential},
    credential::{Credential, PreviousVersion, Scope},
    grant::AuthMethod,
    id::{Id, Name, Principal, Timestamp},
    issuer::{Issuer, PrincipalRule, Revocations},
    log::Position,
    snapshot::{Group, Snapshot, Tenant},
};

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whose issuer it is.
    pub tenant: Name,
    /// The issuer's name in the tenant; [`crate::issuer::OWN`] for Turnpike's.
    pub issuer: Name,
    /// `sub`.
    pub subject: Arc<str>,
    /// `jti`.
    pub id: Option<Arc<str>>,
    /// `iat`; where it is missing, the moment of its verification.
    pub issued: Timestamp,
    /// `exp`; it is refused from this moment on, leeway included.
    pub expires: Timestamp,
    /// The groups that it carries, each with the issuer that vouches for it.
    pub groups: Vec<Group>,
    /// Who it speaks for.
    pub bearer: Bearer,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// A token of an issuer of the tenant.
    Foreign {
        /// Jwt or opaque.
        method: AuthMethod,
        /// The text of the claim that says who it is.
        claim: Arc<str>,
        /// The user that is served where no account is found, if the issuer has such.
        just_in_time: Option<Principal>,
        /// The issuer as it stood when the token was verified.
        revision: Position,
    },
    /// One of Turnpike's own.
    Own {
        /// Who, by name.
        principal: Principal,
        /// What it is narrowed to.
        scope: Option<Box<Scope>>,
        /// The credential, or the token, that it was given for: it dies with that.
        given_for: GivenFor,
    },
}

/// What one of Turnpike's own tokens was exchanged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenFor {
    /// A key.
    Credential(Id),
    /// Another issuer's token.
    Token {
        /// Its issuer's name.
        issuer: Name,
        /// Its `sub`.
        subject: Arc<str>,
        /// Its `jti`.
        id: Option<Arc<str>>,
        /// Its `iat`.
        issued: Timestamp,
    },
}

impl VerifiedToken {
    /// How its bearer proved who it is.
    pub fn method(&self) -> AuthMethod {
        match &self.bearer {
            Bearer::Foreign { method, .. } => *method,
            Bearer::Own { .. } => AuthMethod::TurnpikeToken,
        }
    }
}

/// Whether a verified token opens anything now, and for whom.
pub fn admit<'s>(
    snapshot: &'s Snapshot,
    token: &'s VerifiedToken,
    now: Timestamp,
) -> Result<Caller<'s>, AuthFailure> {
    if now >= token.expires {
        return Err(AuthFailure::Expired);
    }
    let tenant = snapshot
        .tenant(token.tenant.as_str())
        .ok_or(AuthFailure::Unknown)?;
    if tenant.settings().suspended {
        return Err(AuthFailure::TenantSuspended);
    }
    let id = token.id.as_deref();
    if is_revoked(tenant, token.issuer.as_str(), id, &token.subject, token.issued) {
        return Err(AuthFailure::Revoked);
    }
    let caller = match &token.bearer {
        Bearer::Foreign {
            claim,
            just_in_time,
            revision,
            ..
        } => foreign(tenant, token, claim, just_in_time.as_ref(), *revision)?,
        Bearer::Own {
            principal,
            scope,
            given_for,
        } => own(
            snapshot,
            tenant,
            token,
            principal,
            scope.as_deref(),
            given_for,
            now,
        )?,
    };
    if caller
        .account
        .is_some_and(|held| held.account.profile.deactivated)
    {
        return Err(AuthFailure::OwnerDeactivated);
    }
    Ok(caller)
}

fn is_revoked(tenant: &Tenant, issuer: &str, id: Option<&str>, subject: &str, issued: Timestamp) -> bool {
    let covers = |dead: &Arc<Revocations>| dead.cover(id, subject, issued);
    tenant.revocations(issuer).is_some_and(covers)
}

fn foreign<'s>(
    tenant: &'s Tenant,
    token: &'s VerifiedToken,
    claim: &str,
    just_in_time: Option<&'s Principal>,
    revision: Position,
) -> Result<Caller<'s>, AuthFailure> {
    let issuer = tenant
        .issuer(token.issuer.as_str())
        .filter(|issuer| issuer.revision == revision)
        .ok_or(AuthFailure::IssuerChanged)?;
    let recorded = account_of(tenant, issuer, claim);
    let (principal, joins) = match (recorded, just_in_time, &issuer.profile.just_in_time) {
        (Some(held), _, _) => (&held.account.principal, [].as_slice()),
        // Whoever is recorded under that name is somebody else.
        (None, Some(principal), Some(defaults)) if tenant.account(principal).is_none() => {
            (principal, defaults.teams.as_slice())
        }
        _ => return Err(AuthFailure::PrincipalUnknown),
    };
    Ok(Caller {
        tenant,
        principal,
        account: recorded,
        joins,
        credential: None,
        unnarrowed: None,
        scope: None,
        groups: &token.groups,
        method: token.method(),
        token: Some(token),
    })
}

/// The account that a claim's text means, by the issuer's rule.
fn account_of<'s>(
    tenant: &'s Tenant,
    issuer: &Issuer,
    claim: &str,
) -> Option<&'s crate::snapshot::HeldAccount> {
    let principal = match &issuer.profile.principal {
        PrincipalRule::Subject {} => tenant.by_subject(&format!("{}/{claim}", issuer.name))?.clone(),
        PrincipalRule::Email {} => tenant.by_email(claim)?.clone(),
        PrincipalRule::Name { virtual_account } => named(claim, *virtual_account)?,
        PrincipalRule::Fixed { principal } => principal.clone(),
    };
    tenant.account(&principal).map(AsRef::as_ref)
}

fn named(claim: &str, virtual_account: bool) -> Option<Principal> {
    let name: Name = claim.parse().ok()?;
    Some(match virtual_account {
        true => Principal::VirtualAccount(name),
        false => Principal::User(name),
    })
}

fn own<'s>(
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
    token: &'s VerifiedToken,
    principal: &'s Principal,
    scope: Option<&'s Scope>,
    given_for: &GivenFor,
    now: Timestamp,
) -> Result<Caller<'s>, AuthFailure> {
    let credential = match given_for {
        GivenFor::Credential(id) => {
            let held = snapshot.credential(*id).ok_or(AuthFailure::Unknown)?;
            admit_credential(snapshot, held, now)?;
            if given_for_an_earlier_secret(held, token.issued, now) {
                return Err(AuthFailure::Revoked);
            }
            Some(held.as_ref()).filter(|held| held.owner == *principal && held.tenant == token.tenant)
        }
        GivenFor::Token {
            issuer,
            subject,
            id,
            issued,
        } => {
            tenant.issuer(issuer.as_str()).ok_or(AuthFailure::IssuerChanged)?;
            if is_revoked(tenant, issuer.as_str(), id.as_deref(), subject, *issued) {
                return Err(AuthFailure::Revoked);
            }
            None
        }
    };
    if matches!(given_for, GivenFor::Credential(_)) && credential.is_none() {
        return Err(AuthFailure::Unknown);
    }
    let account = tenant.account(principal).map(AsRef::as_ref);
    let account = account.ok_or(AuthFailure::PrincipalUnknown)?;
    Ok(Caller {
        credential,
        scope,
        groups: &token.groups,
        token: Some(token),
        ..Caller::of(tenant, account, AuthMethod::TurnpikeToken)
    })
}

/// Whether a token was given for a secret of the credential that has stopped working since. A token's moment is told
/// in whole seconds.
fn given_for_an_earlier_secret(held: &Credential, issued: Timestamp, now: Timestamp) -> bool {
    let works = |previous: &PreviousVersion| now < previous.until;
    issued.plus_seconds(1) <= held.secret_since() && !held.previous.as_deref().is_some_and(works)
}
